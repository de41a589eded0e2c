#include <stdlib.h>

#include "server/server_internal.h"

/* A heap of four children per node: half the depth of a binary one, and the children share cache lines. */
#define CHILDREN 4u
#define NOWHERE UINT32_MAX

bool heap_reserve(due_heap *heap, uint32_t count) {
    if (count <= heap->capacity)
        return true;
    uint32_t capacity = heap->capacity ? heap->capacity * 2 : 256;
    while (capacity < count)
        capacity *= 2;
    heap_entry *entries = realloc(heap->entries, (size_t)capacity * sizeof *entries);
    if (!entries)
        return false;
    heap->entries = entries;
    heap->capacity = capacity;
    return true;
}

void heap_free(due_heap *heap) {
    free(heap->entries);
    *heap = (due_heap){0};
}

static inline void place(due_heap *heap, uint32_t index, heap_entry entry) {
    heap->entries[index] = entry;
    entry.conn->heap_index = index;
}

static void rise(due_heap *heap, uint32_t index, heap_entry entry) {
    while (index) {
        uint32_t parent = (index - 1) / CHILDREN;
        if (heap->entries[parent].due_ns <= entry.due_ns)
            break;
        place(heap, index, heap->entries[parent]);
        index = parent;
    }
    place(heap, index, entry);
}

static void sink(due_heap *heap, uint32_t index, heap_entry entry) {
    for (;;) {
        uint32_t first = index * CHILDREN + 1, best = first;
        if (first >= heap->count)
            break;
        uint32_t end = first + CHILDREN < heap->count ? first + CHILDREN : heap->count;
        for (uint32_t child = first + 1; child < end; child++)
            if (heap->entries[child].due_ns < heap->entries[best].due_ns)
                best = child;
        if (heap->entries[best].due_ns >= entry.due_ns)
            break;
        place(heap, index, heap->entries[best]);
        index = best;
    }
    place(heap, index, entry);
}

static void put_at(due_heap *heap, uint32_t index, heap_entry entry) {
    if (index && heap->entries[(index - 1) / CHILDREN].due_ns > entry.due_ns)
        rise(heap, index, entry);
    else
        sink(heap, index, entry);
}

void heap_set(due_heap *heap, conn *c, int64_t due_ns) {
    uint32_t index = c->heap_index;
    if (due_ns != NEVER) {
        if (index == NOWHERE)
            rise(heap, heap->count++, (heap_entry){due_ns, c});
        else
            put_at(heap, index, (heap_entry){due_ns, c});
    } else if (index != NOWHERE) {
        c->heap_index = NOWHERE;
        heap_entry last = heap->entries[--heap->count];
        if (index < heap->count)
            put_at(heap, index, last);
    }
}
