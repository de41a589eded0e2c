#include "reactor/reactor_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOT_REST_NS (100 * TT_NS_PER_MS)

/* Makes due what follows a request, or gives it up. */
static void follow(reactor *r, const request_record *record, int64_t row) {
    if (r->stopped)
        return;
    /* A server refuses connections within microseconds: without a pause the slots would spin. */
    bool rests = r->plan.slots && record->outcome == OUTCOME_CONNECT_ERROR;
    int64_t free_ns = record->end_ns + (rests ? SLOT_REST_NS : 0);
    if (record->outcome == OUTCOME_OK || r->config.go_on_after_failure)
        schedule_ended(&r->plan, row, free_ns);
    else
        schedule_give_up(&r->plan, row, free_ns);
}

void end_request(reactor *r, conn *c) {
    report_request(r, &c->stream);
    if (r->plan.parent && r->config.live_history)
        report_flush_records(r);         /* the controller needs this response for the follower's request */
    follow(r, &c->stream.record, c->row);
    limits_count_end(r, c->prefilling, c->stream.record.end_ns);
    cancel_remove(r, c);
    r->status.finished++;
    r->status.succeeded += c->stream.record.outcome == OUTCOME_OK;
    pool_release_item(r, c);
    c->assigned = false;
    c->served++;
}

void end_failed(reactor *r, conn *c, outcome why, const char *text) {
    stream_fail(&c->stream, why, r->now_ns, text);
    end_request(r, c);
    pool_drop(r, c);
}

void end_unassigned(reactor *r, feed_item *item, uint8_t retries, const conn *failed, outcome why, const char *text) {
    stream s;
    stream_init(&s);
    stream_begin(&s, r->request_ids[item->row], schedule_due(&r->plan, item->row));
    s.record.connect_start_ns = failed ? failed->opened_ns : r->now_ns;
    s.record.connection_id = failed ? failed->id : -1;
    s.record.retries = retries;
    s.record.released_ns = item->released_ns;
    stream_fail(&s, why, r->now_ns, text);
    report_request(r, &s);
    follow(r, &s.record, item->row);
    limits_count_end(r, true, s.record.end_ns);
    r->status.finished++;
    stream_free(&s);
    free(item);
}

void end_handshake(reactor *r, conn *c, const char *text) {
    if (c->assigned) {
        end_failed(r, c, OUTCOME_CONNECT_ERROR, text);
        return;
    }
    if (r->waiting_count >= r->opening.count)
        end_unassigned(r, requests_take_waiting(r), 0, c, OUTCOME_CONNECT_ERROR, text);
    pool_drop(r, c);
}

void end_broken(reactor *r, conn *c, int error) {
    stream *s = &c->stream;
    if (c->item && c->pooled && stream_silent(s) && !s->record.retries) {
        feed_item *item = c->item;
        int64_t row = c->row;
        c->item = NULL;
        r->retained -= c->length;
        cancel_remove(r, c);
        pool_drop(r, c);
        conn *fresh = pool_open(r);
        if (fresh)
            pool_assign(r, fresh, item, row, 1);   /* sent when the handshake is done */
        else
            end_unassigned(r, item, 1, NULL, OUTCOME_CONNECT_ERROR, strerror(errno));
        return;
    }
    bool silent = stream_silent(s);
    if (!error && silent)
        error = c->error;
    bool reset = error == ECONNRESET || error == EPIPE;
    bool cut = !error && !silent && transport_was_cut(&c->line);   /* without close_notify the end may be forged */
    char text[TRANSPORT_TEXT + 32];
    if (error == EPROTO)
        snprintf(text, sizeof text, "the connection broke: %s", transport_reason(&c->line));
    else if (error && !reset)
        snprintf(text, sizeof text, "the connection broke: %s", strerror(error));
    else if (cut)
        snprintf(text, sizeof text, "the server cut the connection without closing TLS (no close_notify)");
    else
        snprintf(text, sizeof text, "the server %s the connection %s", reset ? "reset" : "closed",
                 !silent ? "before the response was complete"
                 : c->sent < c->length ? "before the request was sent" : "without a response");
    if (error || cut)
        stream_fail(s, silent ? OUTCOME_PROTOCOL_ERROR : OUTCOME_TRUNCATED, r->now_ns, text);
    else
        stream_closed(s, &r->shared, r->now_ns, text);
    end_request(r, c);
    pool_drop(r, c);
}
