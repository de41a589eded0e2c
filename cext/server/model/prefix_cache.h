/* prefix_cache.h: the simulated server's prefix cache: which blocks of prompts it holds, the least recently used
 * going first.
 *
 * A block is known by a key of 64 bits that stands for the block and all that comes before it (blocks.h), so
 * what a prompt finds is the run of its first keys. Nothing but keys is kept. Not for two threads at once.
 *
 * Exact LRU: of the blocks of one prompt the first counts as used last, so that under pressure the end of a
 * prompt goes before its beginning, without which it would be of no use.
 *
 * Memory: 28 to 36 bytes per block held, taken as it fills. When memory is out, what it has is the capacity. */
#ifndef TT_SERVER_CACHE_H
#define TT_SERVER_CACHE_H

#include <stddef.h>
#include <stdint.h>

#define CACHE_MAX_BLOCKS (1u << 26)

typedef struct {
    uint64_t key;
    uint32_t newer, older;       /* neighbours in the order of use */
    uint32_t next;               /* in the same bucket */
} cache_entry;

typedef struct {
    uint32_t capacity;           /* 0: there is no cache */
    uint32_t count, room;        /* entries held and allocated */
    uint32_t newest, oldest;
    uint32_t buckets;            /* a power of two */
    cache_entry *entries;
    uint32_t *heads;             /* of the buckets */
    uint64_t evictions;
} prefix_cache;

/* capacity: 0 to CACHE_MAX_BLOCKS. Allocates nothing yet. */
void cache_init(prefix_cache *cache, uint32_t capacity);
void cache_free(prefix_cache *cache);

/* One prompt comes: how many of its first keys are held. Then all of them are held, or as many of the first as
 * the capacity allows, and are the most recently used. With capacity 0: 0. */
size_t cache_visit(prefix_cache *cache, const uint64_t *keys, size_t count);

#endif
