/* The promises of prefix_cache.h, compared with an LRU cache that is a plain list. */
#include "server/model/prefix_cache.h"
#include "server/model/draw.h"
#include "support/check.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The most recently used key first. */
typedef struct { uint64_t keys[4096]; size_t count, capacity, evictions; } list;

static void list_use(list *held, uint64_t key) {
    size_t at = 0;
    while (at < held->count && held->keys[at] != key)
        at++;
    if (at == held->count) {
        if (held->count == held->capacity) {
            held->evictions++;
            at--;
        } else {
            held->count++;
        }
    }
    memmove(held->keys + 1, held->keys, at * sizeof *held->keys);
    held->keys[0] = key;
}

static size_t list_visit(list *held, const uint64_t *keys, size_t count) {
    size_t hits = 0;
    for (bool found = true; found && hits < count; hits += found) {
        found = false;
        for (size_t i = 0; i < held->count; i++)
            found |= held->keys[i] == keys[hits];
    }
    for (size_t left = count; left > 0; left--)
        list_use(held, keys[left - 1]);
    return hits;
}

/* Checks that the order of use is that of the list, in both directions, and that every key is found. */
static void check_order(const prefix_cache *cache, const list *held) {
    CHECK_NUMBER(cache->count, held->count);
    CHECK_NUMBER(cache->evictions, held->evictions);
    uint32_t at = cache->newest, newer = UINT32_MAX;
    for (size_t i = 0; i < held->count; i++) {
        CHECK(cache->entries[at].key == held->keys[i]);
        CHECK(cache->entries[at].newer == newer);
        newer = at;
        at = cache->entries[at].older;
    }
    CHECK(at == UINT32_MAX && cache->oldest == newer);
}

/* Prompts are random walks through a tree of prefixes: a key is the hash of all keys before it. */
static void check_capacity(uint32_t capacity, uint32_t spread) {
    prefix_cache cache;
    static list held;
    held = (list){.capacity = capacity};
    cache_init(&cache, capacity);
    uint64_t hits = 0;
    for (uint64_t prompt = 0; prompt < 400; prompt++) {
        uint64_t keys[64], chain = 1;
        size_t count = draw_mix(prompt) % 64;
        for (size_t i = 0; i < count; i++)
            keys[i] = chain = draw_mix(chain ^ (draw_mix(prompt << 8 | i) % spread));
        size_t found = cache_visit(&cache, keys, count);
        CHECK_NUMBER(found, list_visit(&held, keys, count));
        hits += found;
        check_order(&cache, &held);
    }
    CHECK(hits > 0);
    cache_free(&cache);
}

static void check_none(void) {
    prefix_cache cache;
    uint64_t key = 5;
    cache_init(&cache, 0);
    CHECK_NUMBER(cache_visit(&cache, &key, 1), 0);
    CHECK_NUMBER(cache_visit(&cache, &key, 1), 0);
    CHECK_NUMBER(cache.count, 0);
    cache_free(&cache);
}

/* When the cache is full, the end of a prompt is evicted first, and its beginning is still found. */
static void check_the_end_goes_first(void) {
    prefix_cache cache;
    uint64_t first[] = {1, 2, 3, 4}, second[] = {11, 12};
    cache_init(&cache, 4);
    CHECK_NUMBER(cache_visit(&cache, first, 4), 0);
    CHECK_NUMBER(cache_visit(&cache, first, 4), 4);
    CHECK_NUMBER(cache_visit(&cache, second, 2), 0);
    CHECK_NUMBER(cache.evictions, 2);
    CHECK_NUMBER(cache_visit(&cache, first, 4), 2);
    uint64_t longer[] = {21, 22, 23, 24, 25, 26};   /* longer than the cache: its beginning stays */
    CHECK_NUMBER(cache_visit(&cache, longer, 6), 0);
    CHECK_NUMBER(cache_visit(&cache, longer, 6), 4);
    cache_free(&cache);
}

int main(void) {
    check_case = "none";
    check_none();
    check_case = "the end goes first";
    check_the_end_goes_first();
    static const uint32_t CAPACITIES[] = {1, 2, 7, 100, 1023, 1024, 1025, 3000};
    for (size_t i = 0; i < sizeof CAPACITIES / sizeof *CAPACITIES; i++) {
        check_case = "a tree of prefixes";
        check_capacity(CAPACITIES[i], 2);
        check_case = "a narrow tree";
        check_capacity(CAPACITIES[i], 1);
    }
    return check_report("server_cache");
}
