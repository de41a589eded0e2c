/* metrics.h: counters of the simulated server, and its page at /metrics (Prometheus' text format 0.0.4).
 *
 * One thread uses it. Histograms have buckets of powers of two from 1 us to 33 s, so that a count of leading zeros finds the
 * bucket. */
#ifndef TT_SERVER_METRICS_H
#define TT_SERVER_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METRICS_BUCKETS 27            /* the last holds all larger values */
#define METRICS_ENDPOINTS 19
#define METRICS_STATUSES 500          /* 100 to 599 */

typedef struct {
    uint64_t counts[METRICS_BUCKETS], count;
    int64_t sum_ns;
} metrics_histogram;

typedef struct {
    uint64_t requests[METRICS_ENDPOINTS][METRICS_STATUSES];
    uint64_t prompt_tokens, output_tokens;
    bool has_cache;                   /* the page shows the counters of the cache */
    uint64_t cached_tokens, queried_blocks, hit_blocks, evicted_blocks;
    uint32_t held_blocks;
    metrics_histogram ttft, itl;
} server_metrics;

/* Counts a duration. */
static inline void metrics_observe(metrics_histogram *histogram, int64_t ns) {
    uint64_t us = ns > 0 ? (uint64_t)(ns - 1) / 1000 : 0;   /* bucket b counts values up to 2^b us */
    int bucket = us ? 64 - __builtin_clzll(us) : 0;
    histogram->counts[bucket < METRICS_BUCKETS ? bucket : METRICS_BUCKETS - 1]++;
    histogram->count++;
    histogram->sum_ns += ns;
}

/* Counts a response with a status. */
void metrics_count(server_metrics *metrics, int endpoint, int status);

/* Returns the page, which the caller frees, and its length; NULL: memory is out. names: names of the endpoints. */
char *metrics_page(const server_metrics *metrics, const char *const names[METRICS_ENDPOINTS], int64_t open_streams,
                   int64_t open_connections, size_t *length);

#endif
