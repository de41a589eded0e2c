/* Workers that send in one order, over a shared page. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "schedule/send_order.h"
#include "support/check.h"

enum { WORKERS = 3, REQUESTS = 3000 };

static int make_page(void) {
    int fd = memfd_create("order", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, send_order_size(WORKERS)) != 0)
        abort();
    return fd;
}

static void join(send_order *o, int fd, int32_t own) {
    if (!send_order_open(o, fd, own, WORKERS))
        abort();
}

static void test_alone(void) {
    send_order alone = {0};
    send_order_announce(&alone, 5);
    send_order_wait(&alone, 5, INT64_MAX);
    send_order_close(&alone);
    CHECK(alone.lines == NULL);
    send_order broken;
    CHECK(!send_order_open(&broken, -1, 0, WORKERS) && broken.lines == NULL);
}

static bool waits(const send_order *o, int64_t request) {
    int64_t until_ns = clock_mono_ns() + TT_NS_PER_MS;
    send_order_wait(o, request, until_ns);
    return clock_mono_ns() >= until_ns;
}

static void test_who_waits_for_whom(void) {
    int fd = make_page();
    send_order first, second, third;
    join(&first, fd, 0);
    join(&second, fd, 1);
    join(&third, fd, 2);
    send_order_wait(&first, 0, INT64_MAX);    /* request 0 is the first of all */
    CHECK(waits(&second, 1));            /* two workers have not begun */
    send_order_announce(&first, 3);
    CHECK(waits(&second, 1));            /* one worker is left */
    send_order_announce(&third, 2);
    send_order_wait(&second, 1, INT64_MAX);
    CHECK(waits(&second, 4));
    send_order_announce(&first, SEND_ORDER_NONE);
    CHECK(waits(&second, 4));
    send_order_announce(&third, SEND_ORDER_NONE);
    send_order_wait(&second, 4, INT64_MAX);
    send_order_announce(&first, 4);               /* it sends again after all */
    CHECK(waits(&second, 5));
    send_order_wait(&second, 5, 0);           /* the time has already passed */
    send_order_close(&first);
    send_order_close(&second);
    send_order_close(&third);
    close(fd);
}

static int64_t sent[REQUESTS];
static _Atomic int64_t sent_count;

/* Each worker has every third request. */
static void *work(void *argument) {
    send_order *o = argument;
    send_order_announce(o, o->own);
    for (int64_t request = o->own; request < REQUESTS; request += WORKERS) {
        send_order_wait(o, request, INT64_MAX);
        sent[atomic_fetch_add(&sent_count, 1)] = request;
        send_order_announce(o, request + WORKERS < REQUESTS ? request + WORKERS : SEND_ORDER_NONE);
    }
    return NULL;
}

static void test_workers_at_once(void) {
    int fd = make_page();
    send_order orders[WORKERS];
    pthread_t threads[WORKERS];
    for (int32_t own = 0; own < WORKERS; own++)
        join(&orders[own], fd, own);
    for (int32_t own = 0; own < WORKERS; own++)
        if (pthread_create(&threads[own], NULL, work, &orders[own]) != 0)
            abort();
    for (int32_t own = 0; own < WORKERS; own++)
        pthread_join(threads[own], NULL);
    CHECK_NUMBER(sent_count, REQUESTS);
    for (int64_t i = 0; i < REQUESTS; i++)
        CHECK_NUMBER(sent[i], i);
    for (int32_t own = 0; own < WORKERS; own++)
        send_order_close(&orders[own]);
    close(fd);
}

int main(void) {
    test_alone();
    test_who_waits_for_whom();
    test_workers_at_once();
    return check_report("order");
}
