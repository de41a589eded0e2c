#include "server/request/http_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { AT_REQUEST_LINE, AT_HEADERS, AT_BODY, AT_CHUNK_SIZE, AT_CHUNK_DATA, AT_CHUNK_END, AT_TRAILERS, AT_END, AT_ERROR };

void request_init(request_parser *request) { *request = (request_parser){0}; }

void request_reset(request_parser *request) {
    free(request->body);
    free(request->line);
    request_init(request);
}

static request_result fail(request_parser *request, uint16_t status, const char *error) {
    request->state = AT_ERROR;
    request->error_status = status;
    request->error = error;
    return REQUEST_ERROR;
}

/* Grows `*memory` to hold `needed` bytes, doubling, up to `most`. */
static bool reserve(char **memory, size_t *capacity, size_t needed, size_t most) {
    if (needed <= *capacity)
        return true;
    size_t wanted = *capacity ? *capacity : 256;
    while (wanted < needed)
        wanted *= 2;
    if (wanted > most)
        wanted = most;
    char *grown = realloc(*memory, wanted);
    if (!grown)
        return false;
    *memory = grown;
    *capacity = wanted;
    return true;
}

/* Finds the next line without its end, in the caller's buffer or in request->line. Returns false when it is incomplete or
 * request->state is AT_ERROR. */
static bool take_line(request_parser *request, const char **p, const char *end, const char **line, size_t *length) {
    size_t available = (size_t)(end - *p);
    const char *newline = available ? memchr(*p, '\n', available) : NULL;
    size_t taken = newline ? (size_t)(newline - *p) + 1 : available;
    if (request->head_bytes + taken > REQUEST_MAX_HEAD) {
        fail(request, 431, "the request's head is over 64 KiB");
        return false;
    }
    request->head_bytes += (uint32_t)taken;
    request->wire_bytes += taken;
    if (newline && request->line_length == 0) {
        *line = *p;
        *length = taken - 1;
    } else {
        size_t capacity = request->line_capacity;
        if (taken && !reserve(&request->line, &capacity, request->line_length + taken, REQUEST_MAX_HEAD)) {
            fail(request, 500, "out of memory");
            return false;
        }
        request->line_capacity = (uint32_t)capacity;
        if (taken)
            memcpy(request->line + request->line_length, *p, taken);
        request->line_length += (uint32_t)taken;
        if (newline) {
            *line = request->line;
            *length = request->line_length - 1;
            request->line_length = 0;
        }
    }
    *p += taken;
    if (newline && *length && (*line)[*length - 1] == '\r')
        --*length;
    return newline != NULL;
}

/* METHOD SP target SP HTTP/1.x; the target in origin or absolute form. */
static request_result read_request_line(request_parser *request, const char *line, size_t length) {
    if (length == 0)   /* RFC 9112, 2.2: empty lines before a request are ignored */
        return REQUEST_MORE;
    const char *end = line + length;
    const char *target = memchr(line, ' ', length);
    const char *version = target ? memchr(target + 1, ' ', (size_t)(end - target - 1)) : NULL;
    if (!version || end - version != 9 || memcmp(version + 1, "HTTP/", 5) != 0)
        return fail(request, 400, "the request line is not METHOD target HTTP/1.1");
    if (memcmp(version + 6, "1.", 2) != 0 || (version[8] != '0' && version[8] != '1'))
        return fail(request, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    request->http_1_0 = version[8] == '0';
    request->keep_alive = !request->http_1_0;
    size_t method_length = (size_t)(target - line);
    request->method = METHOD_OTHER;
    if (method_length == 3 && memcmp(line, "GET", 3) == 0)
        request->method = METHOD_GET;
    else if (method_length == 4 && memcmp(line, "POST", 4) == 0)
        request->method = METHOD_POST;
    else if (method_length == 4 && memcmp(line, "HEAD", 4) == 0)
        request->method = METHOD_HEAD;
    target++;
    if ((size_t)(version - target) > 7 && strncasecmp(target, "http://", 7) == 0) {
        const char *path = memchr(target + 7, '/', (size_t)(version - target - 7));
        target = path ? path : version;
    }
    size_t path_length = (size_t)(version - target);
    const char *query = memchr(target, '?', path_length);
    if (query)
        path_length = (size_t)(query - target);
    if (path_length > REQUEST_PATH_BYTES - 1)
        path_length = REQUEST_PATH_BYTES - 1;
    memcpy(request->path, target, path_length);
    request->path[path_length] = '\0';
    request->state = AT_HEADERS;
    return REQUEST_MORE;
}

static bool named(const char *line, size_t name_length, const char *name) {
    return strlen(name) == name_length && strncasecmp(line, name, name_length) == 0;
}

static bool lists(const char *value, size_t length, const char *token) {
    size_t token_length = strlen(token);
    for (size_t i = 0; i + token_length <= length; i++) {
        bool starts = i == 0 || value[i - 1] == ',' || value[i - 1] == ' ' || value[i - 1] == '\t';
        char after = i + token_length < length ? value[i + token_length] : ',';
        if (starts && (after == ',' || after == ' ' || after == '\t' || after == ';') &&
            strncasecmp(value + i, token, token_length) == 0)
            return true;
    }
    return false;
}

static request_result read_content_length(request_parser *request, const char *value, size_t length) {
    uint64_t number = 0;
    if (length == 0)
        return fail(request, 400, "Content-Length has no number");
    for (size_t i = 0; i < length; i++) {
        if (value[i] < '0' || value[i] > '9')
            return fail(request, 400, "Content-Length is not a number");
        number = number * 10 + (uint64_t)(value[i] - '0');
        if (number > REQUEST_MAX_BODY)
            return fail(request, 413, "the body is over 64 MiB");
    }
    if (request->has_length && request->remaining != number)
        return fail(request, 400, "two Content-Length headers differ");
    request->has_length = true;
    request->remaining = number;
    return REQUEST_MORE;
}

static request_result read_header(request_parser *request, const char *line, size_t length) {
    const char *colon = memchr(line, ':', length);
    if (!colon || colon == line || line[0] == ' ' || line[0] == '\t' || colon[-1] == ' ' || colon[-1] == '\t')
        return fail(request, 400, "a header line is not name: value");
    size_t name_length = (size_t)(colon - line);
    const char *value = colon + 1, *end = line + length;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    size_t value_length = (size_t)(end - value);
    if (named(line, name_length, "content-length"))
        return read_content_length(request, value, value_length);
    if (named(line, name_length, "transfer-encoding")) {
        if (value_length != 7 || strncasecmp(value, "chunked", 7) != 0)
            return fail(request, 501, "the only transfer coding known here is chunked");
        request->chunked = true;
    } else if (named(line, name_length, "connection")) {
        if (lists(value, value_length, "close"))
            request->keep_alive = false;
        else if (lists(value, value_length, "keep-alive"))
            request->keep_alive = true;
    } else if (named(line, name_length, "expect")) {
        if (value_length != 12 || strncasecmp(value, "100-continue", 12) != 0)
            return fail(request, 417, "the only expectation known here is 100-continue");
        request->expects_continue = !request->http_1_0;
    }
    return REQUEST_MORE;
}

static request_result end_head(request_parser *request) {
    if (request->chunked && request->has_length)
        return fail(request, 400, "Content-Length and Transfer-Encoding exclude each other");
    request->state = request->chunked ? AT_CHUNK_SIZE : request->remaining ? AT_BODY : AT_END;
    if (request->state == AT_END)
        request->expects_continue = false;
    return REQUEST_HEAD;
}

/* Copies the bytes of the body that the buffer has. */
static request_result gather(request_parser *request, const char **p, const char *end) {
    size_t taken = (size_t)(end - *p);
    if (taken > request->remaining)
        taken = (size_t)request->remaining;
    if (!reserve(&request->body, &request->body_capacity, request->body_length + taken, REQUEST_MAX_BODY))
        return fail(request, 500, "out of memory");
    if (taken)
        memcpy(request->body + request->body_length, *p, taken);
    request->body_length += taken;
    request->remaining -= taken;
    request->wire_bytes += taken;
    *p += taken;
    return REQUEST_MORE;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static request_result read_chunk_size(request_parser *request, const char *line, size_t length) {
    uint64_t size = 0;
    size_t i = 0;
    for (; i < length && hex_digit(line[i]) >= 0; i++) {
        size = size * 16 + (uint64_t)hex_digit(line[i]);
        if (size > REQUEST_MAX_BODY - request->body_length)
            return fail(request, 413, "the body is over 64 MiB");
    }
    if (i == 0 || (i < length && line[i] != ';' && line[i] != ' ' && line[i] != '\t'))
        return fail(request, 400, "a chunk's size is not a hexadecimal number");
    request->head_bytes = 0;   /* the limit is per size line; the limit of the body bounds their number */
    request->remaining = size;
    request->state = size ? AT_CHUNK_DATA : AT_TRAILERS;
    return REQUEST_MORE;
}

static request_result read_line(request_parser *request, const char *line, size_t length) {
    switch (request->state) {
    case AT_REQUEST_LINE: return read_request_line(request, line, length);
    case AT_HEADERS: return length ? read_header(request, line, length) : end_head(request);
    case AT_CHUNK_SIZE: return read_chunk_size(request, line, length);
    case AT_CHUNK_END:
        if (length)
            return fail(request, 400, "a chunk is longer than its size");
        request->state = AT_CHUNK_SIZE;
        return REQUEST_MORE;
    default:
        if (length == 0)
            request->state = AT_END;
        return REQUEST_MORE;
    }
}

request_result request_next(request_parser *request, const char **p, const char *end) {
    for (;;) {
        switch (request->state) {
        case AT_END: return REQUEST_COMPLETE;
        case AT_ERROR: return REQUEST_ERROR;
        case AT_BODY:
        case AT_CHUNK_DATA:
            if (gather(request, p, end) == REQUEST_ERROR)
                return REQUEST_ERROR;
            if (request->remaining)
                return REQUEST_MORE;
            request->state = request->state == AT_BODY ? AT_END : AT_CHUNK_END;
            break;
        default: {
            const char *line;
            size_t length;
            if (!take_line(request, p, end, &line, &length))
                return request->state == AT_ERROR ? REQUEST_ERROR : REQUEST_MORE;
            request_result result = read_line(request, line, length);
            if (result != REQUEST_MORE)
                return result;
        }
        }
    }
}
