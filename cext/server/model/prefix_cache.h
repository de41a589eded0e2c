/* prefix_cache.h: the simulated server's prefix cache: an LRU cache of blocks of prompts.
 *
 * A key of 64 bits stands for a block and all blocks before it (blocks.h). So the cached part of a prompt is the longest run of
 * its first keys that the cache holds. Only keys are kept. Not for two threads at once.
 *
 * The least recently used block is evicted. Within one prompt the first block counts as used last, so the end of a prompt is
 * evicted before its beginning, without which the end would be useless.
 *
 * Memory: 28 to 36 bytes per block held, allocated as the cache fills. If memory runs out, the capacity is what was allocated. */
#ifndef TT_SERVER_CACHE_H
#define TT_SERVER_CACHE_H

#include <stddef.h>
#include <stdint.h>

#define CACHE_MAX_BLOCKS (1u << 26)

typedef struct {
    uint64_t key;
    uint32_t newer, older;       /* neighbours in the LRU list */
    uint32_t next;               /* in the same bucket */
} cache_entry;

typedef struct {
    uint32_t capacity;           /* 0: there is no cache */
    uint32_t count, room;        /* entries held and allocated */
    uint32_t newest, oldest;
    uint32_t buckets;            /* a power of two */
    cache_entry *entries;
    uint32_t *heads;             /* first entry of each bucket */
    uint64_t evictions;
} prefix_cache;

/* Makes an empty cache without allocating. capacity: 0 to CACHE_MAX_BLOCKS. */
void cache_init(prefix_cache *cache, uint32_t capacity);
void cache_free(prefix_cache *cache);

/* Looks up a prompt, then enters it. Returns how many of its first keys were held; 0 with capacity 0. Afterwards its keys, or the
 * first ones as far as the capacity allows, are held and are the most recently used. */
size_t cache_visit(prefix_cache *cache, const uint64_t *keys, size_t count);

#endif
