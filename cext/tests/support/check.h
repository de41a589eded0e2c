/* check.h: checks for tests in plain C. A failed one names its place and the test goes on; check_report() is main's answer. */
#ifndef TT_CHECK_H
#define TT_CHECK_H

#include <stdio.h>
#include <string.h>

static long checks_made, checks_failed;
static const char *check_case = "";   /* the row of a table that is being tried */

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        checks_made++;                                                                                       \
        if (!(condition) && ++checks_failed <= 50)                                                           \
            fprintf(stderr, "%s:%d: %s: not so: %s\n", __FILE__, __LINE__, check_case, #condition);          \
    } while (0)

#define CHECK_NUMBER(got, expected)                                                                          \
    do {                                                                                                     \
        long long got_ = (long long)(got), expected_ = (long long)(expected);                                \
        checks_made++;                                                                                       \
        if (got_ != expected_ && ++checks_failed <= 50)                                                      \
            fprintf(stderr, "%s:%d: %s: %s is %lld, not %lld\n", __FILE__, __LINE__, check_case, #got, got_, \
                    expected_);                                                                              \
    } while (0)

/* `got` has a length; `expected` ends with NUL. */
#define CHECK_TEXT(got, got_length, expected)                                                                \
    do {                                                                                                     \
        const char *got_ = (got), *expected_ = (expected);                                                   \
        size_t length_ = (got_length);                                                                       \
        checks_made++;                                                                                       \
        if ((length_ != strlen(expected_) || (length_ && memcmp(got_, expected_, length_) != 0))             \
            && ++checks_failed <= 50)                                                                        \
            fprintf(stderr, "%s:%d: %s: %s is <%.*s>, not <%s>\n", __FILE__, __LINE__, check_case, #got,     \
                    (int)length_, got_ ? got_ : "", expected_);                                              \
    } while (0)

static inline int check_report(const char *name) {
    printf("%s: %ld checks, %ld failed\n", name, checks_made, checks_failed);
    return checks_failed != 0;
}

#endif
