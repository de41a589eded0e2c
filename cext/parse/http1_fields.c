#include "parse/http1_fields.h"

#include <string.h>

/* ---- characters ----------------------------------------------------------------- */

/* tchar of RFC 9110, section 5.6.2: two words of 64 bits, for 0-63 and 64-127. */
static inline bool is_token(unsigned char c) {
    static const uint64_t tokens[2] = {UINT64_C(0x03FF6CFA00000000), UINT64_C(0x57FFFFFFC7FFFFFE)};
    return c < 128 && (tokens[c >> 6] >> (c & 63) & 1);
}




static bool has_control(const char *p, const char *end) {
    for (; p < end; p++)
        if (is_control((unsigned char)*p))
            return true;
    return false;
}

static inline char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c; }

/* `word` is in lower case. */
static bool same_word(http1_span span, const char *word) {
    if (span.length != strlen(word))
        return false;
    for (size_t i = 0; i < span.length; i++)
        if (lower(span.start[i]) != word[i])
            return false;
    return true;
}

static http1_span trim(const char *p, const char *end) {
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (http1_span){p, (size_t)(end - p)};
}

/* The next element of a comma-separated list, white space trimmed; false at its end. *rest starts as the whole. */
static bool next_element(http1_span *rest, http1_span *element) {
    if (!rest->start)
        return false;
    const char *end = rest->start + rest->length;
    const char *comma = rest->length ? memchr(rest->start, ',', rest->length) : NULL;
    *element = trim(rest->start, comma ? comma : end);
    *rest = comma ? (http1_span){comma + 1, (size_t)(end - comma - 1)} : (http1_span){NULL, 0};
    return true;
}

/* ---- the fields of a head --------------------------------------------------------- */

/* RFC 9110, section 8.6: a list of one and the same number is allowed. */
static const char *take_content_length(http1 *parser, http1_span value) {
    http1_span element;
    while (next_element(&value, &element)) {
        int64_t length = 0;
        if (!element.length)
            return "an empty Content-Length";
        for (size_t i = 0; i < element.length; i++) {
            if (!is_digit(element.start[i]))
                return "a Content-Length that is no number";
            if (__builtin_mul_overflow(length, 10, &length)
                || __builtin_add_overflow(length, element.start[i] - '0', &length))
                return "a Content-Length beyond 63 bits";
        }
        if (parser->content_length >= 0 && parser->content_length != length)
            return "conflicting Content-Lengths";
        parser->content_length = length;
    }
    return NULL;
}

/* RFC 9112, section 6.1. `chunked` holds while chunked is the last coding so far. */
static const char *take_transfer_encoding(http1 *parser, http1_span value) {
    http1_span coding;
    while (next_element(&value, &coding)) {
        if (!coding.length || same_word(coding, "identity"))
            continue;   /* "identity" named no coding, before RFC 7230 dropped it */
        bool chunked = same_word(coding, "chunked");
        if (chunked && parser->seen_chunked)
            return "chunked twice in Transfer-Encoding";
        parser->seen_chunked |= chunked;
        parser->chunked = chunked;
        parser->seen_transfer_encoding = true;
        parser->encoded |= !chunked;
    }
    return NULL;
}

static void take_connection(http1 *parser, http1_span value) {
    http1_span option;
    while (next_element(&value, &option)) {
        parser->seen_close |= same_word(option, "close");
        parser->seen_keep_alive |= same_word(option, "keep-alive");
    }
}

static void take_content_type(http1 *parser, http1_span value) {
    static const struct { const char *name; http1_type type; } known[] = {
        {"text/event-stream", HTTP1_TYPE_SSE},       {"application/json", HTTP1_TYPE_JSON},
        {"application/x-ndjson", HTTP1_TYPE_NDJSON}, {"application/ndjson", HTTP1_TYPE_NDJSON},
        {"application/jsonl", HTTP1_TYPE_NDJSON},    {"application/problem+json", HTTP1_TYPE_JSON},
        {"application/x-json-stream", HTTP1_TYPE_NDJSON}, {"text/html", HTTP1_TYPE_HTML},
    };
    const char *end = value.start + value.length;
    const char *parameters = value.length ? memchr(value.start, ';', value.length) : NULL;
    http1_span media = trim(value.start, parameters ? parameters : end);
    parser->content_type = HTTP1_TYPE_OTHER;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (same_word(media, known[i].name))
            parser->content_type = (uint8_t)known[i].type;
}

static void take_retry_after(http1 *parser, http1_span value) {
    int32_t seconds = 0;
    for (size_t i = 0; i < value.length; i++) {
        if (!is_digit(value.start[i]))
            return;
        if (__builtin_mul_overflow(seconds, 10, &seconds)
            || __builtin_add_overflow(seconds, value.start[i] - '0', &seconds))
            seconds = INT32_MAX / 10;
    }
    if (value.length)
        parser->retry_after_s = seconds;
}

const char *http1_take_field(http1 *parser, const char *line, size_t length, bool trailer) {
    const char *end = line + length, *colon = line;
    while (colon < end && is_token((unsigned char)*colon))
        colon++;
    if (colon == line || colon == end || *colon != ':')
        return *line == ' ' || *line == '\t' ? "a folded header line" : "a header line without a name and a colon";
    if (has_control(colon, end))
        return "a control character in a header";
    if (trailer)
        return NULL;
    http1_span name = {line, (size_t)(colon - line)}, value = trim(colon + 1, end);
    switch (name.length) {
    case 10:
        if (same_word(name, "connection"))
            take_connection(parser, value);
        break;
    case 11:
        if (same_word(name, "retry-after"))
            take_retry_after(parser, value);
        break;
    case 12:
        if (same_word(name, "content-type"))
            take_content_type(parser, value);
        break;
    case 14:
        if (same_word(name, "content-length"))
            return take_content_length(parser, value);
        break;
    case 16:
        if (same_word(name, "content-encoding"))
            parser->encoded |= value.length && !same_word(value, "identity");
        break;
    case 17:
        if (same_word(name, "transfer-encoding"))
            return take_transfer_encoding(parser, value);
        break;
    default: break;
    }
    return NULL;
}

const char *http1_take_status(http1 *parser, const char *line, size_t length) {
    if (length < 12 || memcmp(line, "HTTP/1.", 7) != 0 || !is_digit(line[7]) || line[8] != ' ')
        return "not a status line of HTTP/1";
    if (line[9] < '1' || line[9] > '9' || !is_digit(line[10]) || !is_digit(line[11])
        || (length > 12 && line[12] != ' '))
        return "a status that is not three digits";
    if (has_control(line + 12, line + length))
        return "a control character in the status line";
    parser->version_minor = (uint8_t)(line[7] - '0');
    parser->status = (uint16_t)((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
    return NULL;
}
