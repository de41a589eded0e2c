#include "reactor/reactor_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS_FLUSH 65536

void report_out_of_memory(void) {
    fputs("tokentape: the worker is out of memory\n", stderr);
    abort();
}

void report_flush_records(reactor *r) {
    if (!r->records_rows)
        return;
    outbox_frame *frame = outbox_frame_new(OUTBOX_REQUESTS, r->records_rows, r->records_length);
    if (!frame)
        report_out_of_memory();
    memcpy(outbox_payload(frame), r->records, r->records_length);
    outbox_queue(&r->outbox, frame);
    r->records_length = 0;
    r->records_rows = 0;
}

void report_request(reactor *r, stream *s) {
    s->record.error_length = (uint32_t)s->error.length;
    s->record.text_length = (uint32_t)s->text.length;
    struct { const void *bytes; size_t length; } parts[] = {
        {&s->record, sizeof s->record}, {s->id, s->record.id_length}, {s->finish, s->record.finish_length},
        {s->error.bytes, s->error.length}, {s->text.bytes, s->text.length}};
    size_t total = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        total += parts[i].length;
    if (r->records_length + total > r->records_capacity) {
        size_t capacity = (r->records_length + total) * 2;
        char *grown = realloc(r->records, capacity);
        if (!grown)
            report_out_of_memory();
        r->records = grown;
        r->records_capacity = capacity;
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].length) {
            memcpy(r->records + r->records_length, parts[i].bytes, parts[i].length);
            r->records_length += parts[i].length;
        }
    r->records_rows++;
    if (r->records_length > RECORDS_FLUSH)
        report_flush_records(r);
}

void report_flush_events(reactor *r, bool all) {
    if (all && !columns_close_block(&r->columns))
        report_out_of_memory();
    event_block *block;
    while ((block = columns_take(&r->columns))) {
        if (!outbox_queue_events(&r->outbox, block))
            report_out_of_memory();
        columns_recycle(&r->columns, block);
    }
}

void report_status(reactor *r) {
    reactor_status *status = &r->status;
    status->at_ns = r->now_ns;
    status->connections = r->conn_count;
    status->tokens = r->shared.tokens;
    status->events = r->shared.events;
    status->coalesced = r->shared.coalesced;
    status->busy_ns = r->busy_ns;
    status->waited_ns = r->outbox.waited_ns;
    status->done = r->done;
    outbox_frame *frame = outbox_frame_new(OUTBOX_STATUS, 1, sizeof *status);
    if (!frame)
        report_out_of_memory();
    memcpy(outbox_payload(frame), status, sizeof *status);
    outbox_queue(&r->outbox, frame);
    status->longest_turn_ns = 0;
}

void report_wants(reactor *r, const int64_t *rows, int64_t count) {
    outbox_frame *frame = outbox_frame_new(OUTBOX_WANTS, (uint32_t)count, (size_t)count * sizeof *rows);
    if (!frame)
        report_out_of_memory();
    memcpy(outbox_payload(frame), rows, (size_t)count * sizeof *rows);
    outbox_queue(&r->outbox, frame);
    r->reserved += count;
    r->asking = true;
}
