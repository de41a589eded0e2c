/* The feed and the outbox over a socket pair: frames split at any byte, back pressure, a peer that closes. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel/feed.h"
#include "channel/outbox.h"
#include "support/check.h"

static void put(int fd, const void *bytes, size_t length) {
    for (const char *p = bytes; length;) {
        ssize_t n = write(fd, p, length);
        if (n <= 0)
            abort();
        p += n;
        length -= (size_t)n;
    }
}

static void put_request(int fd, int64_t row, size_t length) {
    feed_header header = {row, (int64_t)length};
    char *body = malloc(length);
    memset(body, 'a' + (int)(row % 26), length);
    put(fd, &header, sizeof header);
    put(fd, body, length);
    free(body);
}

static void test_feed_in_order_at_every_cut(void) {
    char frames[3 * (sizeof(feed_header) + 7) + sizeof(feed_header)];
    size_t length = 0;
    for (int64_t row = 0; row < 3; row++) {
        memcpy(frames + length, &(feed_header){row, 7}, sizeof(feed_header));
        memset(frames + length + sizeof(feed_header), 'a' + (int)row, 7);
        length += sizeof(feed_header) + 7;
    }
    memcpy(frames + length, &(feed_header){FEED_END, 0}, sizeof(feed_header));
    length += sizeof(feed_header);
    for (size_t cut = 0; cut <= length; cut++) {
        int fds[2];
        feed f;
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
        CHECK(feed_init(&f, fds[0], 1 << 20));
        put(fds[1], frames, cut);
        while (feed_step(&f) == FEED_PROGRESS)
            ;
        put(fds[1], frames + cut, length - cut);
        while (feed_step(&f) == FEED_PROGRESS)
            ;
        CHECK(f.ended && !f.closed);
        CHECK(feed_take(&f, 1) == NULL);              /* row 0 comes first */
        for (int64_t row = 0; row < 3; row++) {
            feed_item *item = feed_take(&f, row);
            CHECK(item && item->length == 7 && item->bytes[6] == 'a' + (char)row);
            free(item);
        }
        CHECK_NUMBER(f.waiting_bytes, 0);
        feed_free(&f);
        close(fds[0]);
        close(fds[1]);
    }
}

static void test_feed_stops_at_its_limit(void) {
    int fds[2];
    feed f;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    CHECK(feed_init(&f, fds[0], 1000));
    for (int64_t row = 0; row < 4; row++)
        put_request(fds[1], row, 40000);
    feed_result result;
    while ((result = feed_step(&f)) == FEED_PROGRESS)
        ;
    CHECK_NUMBER(result, FEED_FULL);
    CHECK(f.waiting_rows < 4);
    for (int64_t row = 0; row < 4; row++) {
        feed_item *item;
        while (!(item = feed_take(&f, row)) && feed_step(&f) == FEED_PROGRESS)
            ;
        CHECK(item && item->length == 40000);
        free(item);
    }
    put_request(fds[1], 4, 10);
    f.discard = true;
    while (feed_step(&f) == FEED_PROGRESS)
        ;
    CHECK_NUMBER(f.waiting_rows, 0);
    close(fds[1]);
    while (feed_step(&f) == FEED_PROGRESS)
        ;
    CHECK(f.closed);
    feed_free(&f);
    close(fds[0]);
}

static void test_feed_refuses_nonsense(void) {
    static const feed_header bad[] = {{-2, 5}, {0, 0}, {0, -1}, {0, INT64_MAX}, {FEED_END, 3}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int fds[2];
        feed f;
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
        CHECK(feed_init(&f, fds[0], 1000));
        put(fds[1], &bad[i], sizeof bad[i]);
        CHECK_NUMBER(feed_step(&f), FEED_BROKEN);
        feed_free(&f);
        close(fds[0]);
        close(fds[1]);
    }
}

static size_t drain(int fd, char *into, size_t room) {
    ssize_t n = recv(fd, into, room, MSG_DONTWAIT);
    return n > 0 ? (size_t)n : 0;
}

static void test_outbox_keeps_order_under_back_pressure(void) {
    int fds[2];
    outbox box;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    outbox_init(&box, fds[0]);
    enum { FRAMES = 64, BYTES = 30000 };
    for (uint32_t i = 0; i < FRAMES; i++) {
        outbox_frame *frame = outbox_frame_new(OUTBOX_REQUESTS, i, BYTES);
        memset(outbox_payload(frame), (int)i, BYTES);
        outbox_queue(&box, frame);
        outbox_write(&box, false);
    }
    CHECK(box.waiting_bytes > 0);                     /* more than the socket takes */
    size_t total = FRAMES * (sizeof(outbox_header) + BYTES), got = 0;
    char *all = malloc(total);
    while (got < total) {
        got += drain(fds[1], all + got, total - got);
        outbox_write(&box, false);
    }
    for (uint32_t i = 0; i < FRAMES; i++) {
        outbox_header header;
        char *frame = all + i * (sizeof header + BYTES);
        memcpy(&header, frame, sizeof header);
        CHECK_NUMBER(header.type, OUTBOX_REQUESTS);
        CHECK_NUMBER(header.rows, i);
        CHECK_NUMBER(header.length, BYTES);
        CHECK(frame[sizeof header + BYTES - 1] == (char)i);
    }
    CHECK(box.first == NULL && box.waiting_bytes == 0);
    free(all);
    close(fds[1]);
    outbox_queue(&box, outbox_frame_new(OUTBOX_STATUS, 1, 8));
    outbox_write(&box, true);                         /* the peer has closed: it must not wait */
    CHECK(box.closed && box.first == NULL);
    outbox_free(&box);
    close(fds[0]);
}

static void test_event_blocks_travel_by_column(void) {
    int fds[2];
    outbox box;
    event_columns columns;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    outbox_init(&box, fds[0]);
    CHECK(columns_init(&columns));
    for (int i = 0; i < EVENT_ROWS + 3; i++) {
        uint32_t row = columns_row(&columns);
        event_block *block = columns.open;
        block->request_id[row] = i;
        block->arrival_ns[row] = block->read_ns[row] = i * 10;
        block->event[row] = block->tokens[row] = block->bytes[row] = i;
        block->kind[row] = block->coalesced[row] = (uint8_t)(i & 1);
        CHECK(columns_added(&columns));
    }
    CHECK_NUMBER(columns.closed_count, 1);
    CHECK(columns_close_block(&columns));
    event_block *first = columns_take(&columns), *second = columns_take(&columns);
    CHECK(first->rows == EVENT_ROWS && second->rows == 3 && columns_take(&columns) == NULL);
    CHECK(outbox_queue_events(&box, second));
    outbox_write(&box, true);
    char frame[sizeof(outbox_header) + 3 * EVENT_ROW_BYTES];
    CHECK_NUMBER(drain(fds[1], frame, sizeof frame), sizeof frame);
    int64_t ids[3];
    memcpy(ids, frame + sizeof(outbox_header), sizeof ids);
    CHECK(ids[0] == EVENT_ROWS && ids[2] == EVENT_ROWS + 2);
    CHECK_NUMBER(frame[sizeof frame - 1], 0);
    columns_recycle(&columns, first);
    columns_recycle(&columns, second);
    columns_free(&columns);
    outbox_free(&box);
    close(fds[0]);
    close(fds[1]);
}

int main(void) {
    test_feed_in_order_at_every_cut();
    test_feed_stops_at_its_limit();
    test_feed_refuses_nonsense();
    test_outbox_keeps_order_under_back_pressure();
    test_event_blocks_travel_by_column();
    return check_report("channel");
}
