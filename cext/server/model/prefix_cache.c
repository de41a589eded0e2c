#include "server/model/prefix_cache.h"

#include <stdbool.h>
#include <stdlib.h>

#define NO_ENTRY UINT32_MAX
#define FIRST_ROOM 1024u

void cache_init(prefix_cache *cache, uint32_t capacity) {
    *cache = (prefix_cache){.capacity = capacity, .newest = NO_ENTRY, .oldest = NO_ENTRY};
}

void cache_free(prefix_cache *cache) {
    free(cache->entries);
    free(cache->heads);
    cache_init(cache, 0);
}

/* ---- buckets --------------------------------------------------------------------- */

static inline uint32_t *head_of(const prefix_cache *cache, uint64_t key) {
    return &cache->heads[(key ^ key >> 32) & (cache->buckets - 1)];
}

static uint32_t find(const prefix_cache *cache, uint64_t key) {
    if (!cache->count)
        return NO_ENTRY;
    uint32_t at = *head_of(cache, key);
    while (at != NO_ENTRY && cache->entries[at].key != key)
        at = cache->entries[at].next;
    return at;
}

static void enter(prefix_cache *cache, uint32_t index) {
    uint32_t *head = head_of(cache, cache->entries[index].key);
    cache->entries[index].next = *head;
    *head = index;
}

static void leave(prefix_cache *cache, uint32_t index) {
    uint32_t *link = head_of(cache, cache->entries[index].key);
    while (*link != index)
        link = &cache->entries[*link].next;
    *link = cache->entries[index].next;
}

static bool grow(prefix_cache *cache) {
    uint32_t room = cache->room ? cache->room * 2 : FIRST_ROOM;
    if (room > cache->capacity)
        room = cache->capacity;
    uint32_t buckets = FIRST_ROOM;
    while (buckets < room)
        buckets *= 2;
    cache_entry *entries = realloc(cache->entries, room * sizeof *entries);
    if (!entries)
        return false;
    cache->entries = entries;
    if (buckets != cache->buckets) {
        uint32_t *heads = malloc(buckets * sizeof *heads);
        if (!heads)
            return false;
        free(cache->heads);
        cache->heads = heads;
        cache->buckets = buckets;
        for (uint32_t i = 0; i < buckets; i++)
            heads[i] = NO_ENTRY;
        for (uint32_t i = 0; i < cache->count; i++)
            enter(cache, i);
    }
    cache->room = room;
    return true;
}

/* ---- the order of use ------------------------------------------------------------ */

static void unlink_entry(prefix_cache *cache, uint32_t index) {
    cache_entry *entry = &cache->entries[index];
    if (entry->newer == NO_ENTRY)
        cache->newest = entry->older;
    else
        cache->entries[entry->newer].older = entry->older;
    if (entry->older == NO_ENTRY)
        cache->oldest = entry->newer;
    else
        cache->entries[entry->older].newer = entry->newer;
}

static void make_newest(prefix_cache *cache, uint32_t index) {
    cache_entry *entry = &cache->entries[index];
    entry->newer = NO_ENTRY;
    entry->older = cache->newest;
    if (cache->newest == NO_ENTRY)
        cache->oldest = index;
    else
        cache->entries[cache->newest].newer = index;
    cache->newest = index;
}

static void use(prefix_cache *cache, uint64_t key) {
    uint32_t index = find(cache, key);
    if (index != NO_ENTRY) {
        unlink_entry(cache, index);
    } else {
        if (cache->count < cache->room || (cache->room < cache->capacity && grow(cache))) {
            index = cache->count++;
        } else if (cache->count) {
            index = cache->oldest;
            unlink_entry(cache, index);
            leave(cache, index);
            cache->evictions++;
        } else {
            return;   /* not even the first entries can be allocated */
        }
        cache->entries[index].key = key;
        enter(cache, index);
    }
    make_newest(cache, index);
}

size_t cache_visit(prefix_cache *cache, const uint64_t *keys, size_t count) {
    if (!cache->capacity)
        return 0;
    size_t hits = 0;
    while (hits < count && find(cache, keys[hits]) != NO_ENTRY)
        hits++;
    for (size_t left = count; left > 0; left--)
        use(cache, keys[left - 1]);
    return hits;
}
