#include "server/model/metrics.h"

#include <stdio.h>
#include <stdlib.h>

void metrics_count(server_metrics *metrics, int endpoint, int status) {
    if (status >= 100 && status < 100 + METRICS_STATUSES)
        metrics->requests[endpoint][status - 100]++;
}

static void print_histogram(FILE *page, const char *name, const char *help, const metrics_histogram *histogram) {
    fprintf(page, "# HELP tokentape_%s %s\n# TYPE tokentape_%s histogram\n", name, help, name);
    uint64_t cumulative = 0;
    for (int bucket = 0; bucket < METRICS_BUCKETS - 1; bucket++) {
        cumulative += histogram->counts[bucket];
        fprintf(page, "tokentape_%s_bucket{le=\"%.6f\"} %llu\n", name, (double)(1u << bucket) / 1e6, (unsigned long long)cumulative);
    }
    fprintf(page, "tokentape_%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)histogram->count);
    fprintf(page, "tokentape_%s_sum %.9f\ntokentape_%s_count %llu\n", name, (double)histogram->sum_ns / 1e9, name,
            (unsigned long long)histogram->count);
}

static void print_number(FILE *page, const char *name, const char *type, const char *help, long long value) {
    fprintf(page, "# HELP tokentape_%s %s\n# TYPE tokentape_%s %s\ntokentape_%s %lld\n", name, help, name, type, name, value);
}

char *metrics_page(const server_metrics *metrics, const char *const names[METRICS_ENDPOINTS], int64_t open_streams,
                   int64_t open_connections, size_t *length) {
    char *text = NULL;
    FILE *page = open_memstream(&text, length);
    if (!page)
        return NULL;
    fprintf(page, "# HELP tokentape_requests_total Requests answered.\n# TYPE tokentape_requests_total counter\n");
    for (int endpoint = 0; endpoint < METRICS_ENDPOINTS; endpoint++)
        for (int status = 0; status < METRICS_STATUSES; status++)
            if (metrics->requests[endpoint][status])
                fprintf(page, "tokentape_requests_total{endpoint=\"%s\",status=\"%d\"} %llu\n", names[endpoint], status + 100,
                        (unsigned long long)metrics->requests[endpoint][status]);
    print_number(page, "prompt_tokens_total", "counter", "Tokens of the prompts.", (long long)metrics->prompt_tokens);
    print_number(page, "generation_tokens_total", "counter", "Tokens handed out.", (long long)metrics->output_tokens);
    if (metrics->has_cache) {
        print_number(page, "cached_prompt_tokens_total", "counter", "Tokens of the prompts that the prefix cache held.", (long long)metrics->cached_tokens);
        print_number(page, "prefix_cache_queried_blocks_total", "counter", "Blocks of the prompts.", (long long)metrics->queried_blocks);
        print_number(page, "prefix_cache_hit_blocks_total", "counter", "Blocks that the prefix cache held.", (long long)metrics->hit_blocks);
        print_number(page, "prefix_cache_evicted_blocks_total", "counter", "Blocks that went for others.", (long long)metrics->evicted_blocks);
        print_number(page, "prefix_cache_held_blocks", "gauge", "Blocks in the prefix cache.", metrics->held_blocks);
    }
    print_number(page, "requests_running", "gauge", "Answers in progress.", open_streams);
    print_number(page, "connections_open", "gauge", "Open connections.", open_connections);
    print_histogram(page, "time_to_first_token_seconds", "From a request's last byte to its first token, as served.", &metrics->ttft);
    print_histogram(page, "inter_token_latency_seconds", "Between the token events of a stream, as served.", &metrics->itl);
    if (fclose(page) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
