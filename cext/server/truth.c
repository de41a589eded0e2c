#include <stdlib.h>

#include "server/server_internal.h"

void truth_close_block(server *s) {
    pthread_mutex_lock(&s->lock);
    if (s->columns.closed_count >= SERVER_MAX_BLOCKS || !columns_close_block(&s->columns)) {
        s->stats.dropped_rows += s->columns.open->rows;
        s->columns.open->rows = 0;
    }
    pthread_mutex_unlock(&s->lock);
}

void truth_add_event(server *s, int64_t request, int32_t event, int64_t handed_ns, event_kind kind, int32_t tokens,
                     int32_t bytes, bool coalesced) {
    event_block *block = s->columns.open;
    uint32_t row = block->rows;
    block->request_id[row] = request;
    block->arrival_ns[row] = block->read_ns[row] = handed_ns;
    block->event[row] = event;
    block->tokens[row] = tokens;
    block->bytes[row] = bytes;
    block->kind[row] = (uint8_t)kind;
    block->coalesced[row] = coalesced;
    if (++block->rows == EVENT_ROWS)
        truth_close_block(s);
}

static void add_request(server *s, const server_request_row *row) {
    if (!s->config.truth)
        return;
    pthread_mutex_lock(&s->lock);
    if (s->rows_count == s->rows_capacity && s->rows_capacity < SERVER_MAX_REQUEST_ROWS) {
        size_t capacity = s->rows_capacity ? s->rows_capacity * 2 : 256;
        server_request_row *rows = malloc(capacity * sizeof *rows);
        if (rows) {
            for (size_t i = 0; i < s->rows_count; i++)
                rows[i] = s->rows[(s->rows_first + i) % s->rows_capacity];
            free(s->rows);
            s->rows = rows;
            s->rows_capacity = capacity;
            s->rows_first = 0;
        }
    }
    if (s->rows_count < s->rows_capacity)
        s->rows[(s->rows_first + s->rows_count++) % s->rows_capacity] = *row;
    else
        s->stats.dropped_rows++;
    pthread_mutex_unlock(&s->lock);
}

void truth_begin_row(server *s, conn *c, server_endpoint endpoint) {
    c->answer.row = (server_request_row){
        .request = (int64_t)s->next_request++, .received_ns = c->read_ns, .kernel_clock = c->read_kernel_clock,
        .endpoint = (uint8_t)endpoint, .connection = c->number, .reused = c->served > 1,
        .bytes_received = (int64_t)c->request.wire_bytes, .cached_tokens = -1};
    s->stats.requests++;
}

void truth_end_row(server *s, conn *c, outcome how) {
    server_answer *answer = &c->answer;
    if (answer->wire.prefix) {
        wire_answer_free(&answer->wire);
        s->stats.open_streams--;
    }
    if (answer->row.request < 0)
        return;
    answer->row.outcome = (uint8_t)how;
    add_request(s, &answer->row);
    answer->row.request = -1;
}

/* ---- taking rows, from another thread ---------------------------------------------- */

event_block *server_take_events(server *s) {
    pthread_mutex_lock(&s->lock);
    event_block *block = columns_take(&s->columns);
    pthread_mutex_unlock(&s->lock);
    return block;
}

void server_give_events(server *s, event_block *block) {
    pthread_mutex_lock(&s->lock);
    columns_recycle(&s->columns, block);
    pthread_mutex_unlock(&s->lock);
}

size_t server_take_requests(server *s, server_request_row *rows, size_t room) {
    pthread_mutex_lock(&s->lock);
    size_t taken = s->rows_count < room ? s->rows_count : room;
    for (size_t i = 0; i < taken; i++)
        rows[i] = s->rows[(s->rows_first + i) % s->rows_capacity];
    if (taken) {
        s->rows_first = (s->rows_first + taken) % s->rows_capacity;
        s->rows_count -= taken;
    }
    pthread_mutex_unlock(&s->lock);
    return taken;
}
