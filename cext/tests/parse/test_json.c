/* What json.h promises, as tables. */
#include "parse/json.h"

#include "support/check.h"
#include "support/pieces.h"

#include <stdint.h>

#define ROOM 16

/* A few paths, a text, and the matches as "slot:type:text:count", joined by blanks; "!" at the end of a malformed text. */
static const struct { const char *paths[6]; const char *text; const char *expected; } FOUND[] = {
    {{"a"}, "{\"a\":1}", "0:3:1:0"},
    {{"a"}, " \t\r\n{ \"a\" : \"x\" } \n", "0:4:x:0"},
    {{"a"}, "{\"b\":{\"a\":1},\"c\":[{\"a\":2}]}", ""},
    {{"a"}, "{\"b\":\"\\\"a\\\":1\",\"a\":null}", "0:0:null:0"},
    {{"a"}, "{\"a\":\"x\\\\\",\"b\":\"\\\\\\\"\"}", "0:4:x\\\\:0"},
    {{"a"}, "{\"a\":true,\"a\":false}", "0:2:true:0 0:1:false:0"},
    {{"a"}, "[{\"a\":1}]", ""},
    {{"a"}, "{\"\":1,\"aa\":2,\"A\":3}", ""},
    {{"a.b.c"}, "{\"a\":{\"b\":{\"c\":-1.5e-3}}}", "0:3:-1.5e-3:0"},
    {{"a[].b"}, "{\"a\":[{\"b\":1},{\"b\":2},3,{},{\"c\":4}]}", "0:3:1:0 0:3:2:0"},
    {{"a[].b"}, "{\"a\":{\"b\":1}}", ""},
    {{"a.b"}, "{\"a\":[{\"b\":1}]}", ""},
    {{"a", "a.b", "a[]", "a[].c"}, "{\"a\":{\"b\":7}}", "1:3:7:0 0:6:{\"b\":7}:1"},
    {{"a", "a.b", "a[]", "a[].c"}, "{\"a\":[{\"c\":0},2]}", "3:3:0:0 2:6:{\"c\":0}:1 2:3:2:0 0:5:[{\"c\":0},2]:2"},
    {{"m[][]"}, "{\"m\":[[1,2],[],[[3]]]}", "0:3:1:0 0:3:2:0 0:5:[3]:1"},
    {{"", "[]", "[].x"}, "[{\"x\":\"y\"}]", "2:4:y:0 1:6:{\"x\":\"y\"}:1 0:5:[{\"x\":\"y\"}]:1"},
    {{""}, "\"\"", "0:4::0"},
    {{""}, "-0", "0:3:-0:0"},
    {{""}, "NaN", "0:3:NaN:0"},
    {{""}, "-Infinity", "0:3:-Infinity:0"},
    {{""}, "[ ]", "0:5:[ ]:0"},
    {{""}, "{ }", "0:6:{ }:0"},
    {{"longer_than_eight", "longer_than_eigh", "longer_t"},
     "{\"longer_than_eight\":1,\"longer_than_eigh\":2,\"longer_t\":3,\"longer_x\":4,\"longer_than_eighT\":5}",
     "0:3:1:0 1:3:2:0 2:3:3:0"},
    {{"\xC3\xA9"}, "{\"\xC3\xA9\":1}", "0:3:1:0"},
    /* malformed: what was found before stays */
    {{"a"}, "{\"a\":1", "0:3:1:0 !"},
    {{"a"}, "{\"a\":1}}", "0:3:1:0 !"},
    {{"a"}, "{\"a\":1} x", "0:3:1:0 !"},
    {{"a"}, "{\"a\":1,}", "0:3:1:0 !"},
    {{"a"}, "{\"a\":[1}", "!"},
    {{"a"}, "{\"a\":\"x", "!"},
    {{"a"}, "{\"a\":\"x\\\"", "!"},
    {{"a"}, "{\"a\" 1}", "!"},
    {{"a"}, "{\"a\":}", "!"},
    {{"a"}, "{a:1}", "!"},
    {{"a"}, "{,}", "!"},
    {{""}, "", "!"},
    {{""}, " ", "!"},
    {{""}, "[1,,2]", "!"},
    {{""}, "[,1]", "!"},
    {{""}, "01", "0:3:0:0 !"},
    {{""}, "1.", "!"},
    {{""}, ".5", "!"},
    {{""}, "-", "!"},
    {{""}, "+1", "!"},
    {{""}, "1e", "!"},
    {{""}, "nul", "!"},
    {{""}, "tru", "!"},
    {{""}, "nullx", "0:0:null:0 !"},
    {{""}, "NaM", "!"},
    {{""}, "'x'", "!"},
};

static void show(const json_match *match, char *out, size_t size) {
    size_t used = strlen(out);
    snprintf(out + used, size - used, "%s%d:%d:%.*s:%lld", used ? " " : "", match->slot, (int)match->type,
             (int)match->length, match->start, (long long)match->count);
}

static void scan_into(const json_paths *paths, const char *text, size_t length, char *out, size_t size) {
    json_match matches[ROOM];
    int found = -1;
    char *copy = malloc(length ? length : 1);
    if (!copy)
        abort();
    memcpy(copy, text, length);
    int answer = json_scan(paths, copy, length, matches, ROOM, &found);
    out[0] = '\0';
    for (int i = 0; i < found; i++)
        show(&matches[i], out, size);
    CHECK(answer == found || answer == JSON_MALFORMED);
    if (answer == JSON_MALFORMED)
        snprintf(out + strlen(out), size - strlen(out), "%s!", found ? " " : "");
    free(copy);
}

static void finds(void) {
    char out[512];
    for (size_t i = 0; i < sizeof FOUND / sizeof *FOUND; i++) {
        json_paths *paths = json_paths_new();
        check_case = FOUND[i].text;
        for (int slot = 0; slot < 6 && FOUND[i].paths[slot]; slot++)
            CHECK_NUMBER(json_paths_add(paths, FOUND[i].paths[slot], slot), 0);
        scan_into(paths, FOUND[i].text, strlen(FOUND[i].text), out, sizeof out);
        CHECK_TEXT(out, strlen(out), FOUND[i].expected);
        json_paths_free(paths);
    }
}

/* A document that is cut short is malformed, wherever the cut. */
static void is_malformed_when_cut(void) {
    const char *text = "{\"a\":[1,{\"b\":\"x\\\"y\"},null,-1.5e+7],\"c\":{},\"d\":\"\\\\\"}";
    json_paths *paths = json_paths_new();
    char out[512];
    CHECK_NUMBER(json_paths_add(paths, "", 0), 0);
    check_case = "cut";
    for (size_t length = 0; length < strlen(text); length++) {
        scan_into(paths, text, length, out, sizeof out);
        CHECK_TEXT(out, strlen(out), "!");
    }
    json_paths_free(paths);
}

static void refuses_bad_paths(void) {
    static const char *const bad[] = {".", ".a", "a.", "a..b", "a[", "a]", "a[]b", "a[0]", "a.[]", "[]a", "[", "a\"", "a\\"};
    json_paths *paths = json_paths_new();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        check_case = bad[i];
        CHECK_NUMBER(json_paths_add(paths, bad[i], 0), -1);
    }
    check_case = "slots and repetitions";
    CHECK_NUMBER(json_paths_add(paths, "a", -1), -1);
    CHECK_NUMBER(json_paths_add(paths, "a", 128), -1);
    CHECK_NUMBER(json_paths_add(paths, "a", 127), 0);
    CHECK_NUMBER(json_paths_add(paths, "a", 1), -1);
    char deep[4 * JSON_MAX_DEPTH] = "a";
    for (int i = 1; i < JSON_MAX_DEPTH; i++)
        strcat(deep, "[]");
    CHECK_NUMBER(json_paths_add(paths, deep, 2), 0);
    strcat(deep, "[]");
    CHECK_NUMBER(json_paths_add(paths, deep, 3), -1);
    json_paths_free(paths);

    check_case = "a full set";
    paths = json_paths_new();
    char name[16];
    for (int i = 1; i < JSON_MAX_NODES; i++) {
        snprintf(name, sizeof name, "k%d", i);
        CHECK_NUMBER(json_paths_add(paths, name, 5), 0);
    }
    CHECK_NUMBER(json_paths_add(paths, "one_more", 5), -1);
    json_match match;
    CHECK_NUMBER(json_scan(paths, "{\"k255\":1}", 10, &match, 1, NULL), 1);
    json_paths_free(paths);
    json_paths_free(NULL);
}

static void bounds_the_depth(void) {
    json_paths *paths = json_paths_new();
    char text[2 * JSON_MAX_DEPTH + 3];
    json_match match;
    CHECK_NUMBER(json_paths_add(paths, "", 0), 0);
    check_case = "depth";
    for (int depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        CHECK_NUMBER(json_scan(paths, text, 2 * (size_t)depth, &match, 1, NULL),
                     depth == JSON_MAX_DEPTH ? 1 : JSON_MALFORMED);
    }
    json_paths_free(paths);
}

static void drops_what_has_no_room(void) {
    json_paths *paths = json_paths_new();
    json_match matches[2];
    int found = -1;
    const char *text = "{\"a\":[1,2,3]}";
    CHECK_NUMBER(json_paths_add(paths, "a[]", 9), 0);
    check_case = "room";
    CHECK_NUMBER(json_scan(paths, text, strlen(text), matches, 2, &found), 2);
    CHECK_NUMBER(found, 2);
    CHECK_NUMBER(matches[1].slot, 9);
    CHECK_NUMBER(json_integer(&matches[1], -1), 2);
    CHECK_NUMBER(json_scan(paths, text, strlen(text), NULL, 0, &found), 0);
    json_paths_free(paths);
}

/* Escapes around every place where the search for a quote changes its ways. */
static void honours_escapes_everywhere(void) {
    json_paths *paths = json_paths_new();
    char text[256];
    json_match match;
    CHECK_NUMBER(json_paths_add(paths, "[]", 0), 0);
    check_case = "escapes";
    for (size_t before = 0; before < 70; before++)
        for (size_t slashes = 0; slashes < 12; slashes++) {
            size_t at = 0;
            text[at++] = '[';
            text[at++] = '"';
            memset(text + at, 'x', before);
            at += before;
            memset(text + at, '\\', slashes);
            at += slashes;
            text[at++] = '"';
            size_t content = at - 3;
            if (slashes % 2) {
                memcpy(text + at, "yy\"", 3);
                at += 3;
                content = at - 3;
            }
            text[at++] = ']';
            char *exact = malloc(at);
            if (!exact)
                abort();
            memcpy(exact, text, at);
            CHECK_NUMBER(json_scan(paths, exact, at, &match, 1, NULL), 1);
            CHECK_NUMBER(match.length, content);
            free(exact);
        }
    json_paths_free(paths);
}

static void reads_integers(void) {
    static const struct { const char *text; int64_t value; } numbers[] = {
        {"0", 0}, {"-0", 0}, {"12", 12}, {"-12", -12}, {"12.0", 12}, {"1e3", 1000}, {"1E+3", 1000}, {"1.5e1", 15},
        {"100e-2", 1}, {"0.001e3", 1}, {"0e999999999999999999999", 0}, {"0.0", 0}, {"1e18", INT64_C(1000000000000000000)},
        {"9223372036854775807", INT64_MAX}, {"-9223372036854775808", INT64_MIN}, {"9223372036854775807.0", INT64_MAX},
        {"1000000000000000000000000000000e-30", 1}, {"92233720368547758.07e2", INT64_MAX},
    };
    static const char *const none[] = {
        "9223372036854775808", "-9223372036854775809", "12.5", "1e-1", "1e19", "1e999999999999999999999", "0.1",
        "99999999999999999999", "18446744073709551616", "NaN", "Infinity", "-Infinity", "1.5", "-", "1.2.3", "1x", "",
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        json_match match = {0, JSON_NUMBER, numbers[i].text, strlen(numbers[i].text), 0};
        check_case = numbers[i].text;
        CHECK_NUMBER(json_integer(&match, -77), numbers[i].value);
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        json_match match = {0, JSON_NUMBER, none[i], strlen(none[i]), 0};
        check_case = none[i];
        CHECK_NUMBER(json_integer(&match, -77), -77);
    }
    json_match string = {0, JSON_STRING, "12", 2, 0};
    check_case = "a string";
    CHECK_NUMBER(json_integer(&string, -77), -77);
}

int main(void) {
    finds();
    is_malformed_when_cut();
    refuses_bad_paths();
    bounds_the_depth();
    drops_what_has_no_room();
    honours_escapes_everywhere();
    reads_integers();
    return check_report("json");
}
