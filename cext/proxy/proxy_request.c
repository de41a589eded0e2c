#include "proxy/proxy_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* AT_HEAD ──▶ AT_BODY ───────────────────────────────────────────────────▶ AT_END
 *        └──▶ AT_SIZE ─▶ AT_CHUNK ─▶ AT_CHUNK_END ─▶ AT_SIZE … ─▶ AT_TRAILERS ─▶ AT_END */
enum { AT_HEAD, AT_BODY, AT_SIZE, AT_EXTENSION, AT_CHUNK, AT_CHUNK_END, AT_TRAILERS, AT_END, AT_ERROR };

void proxy_request_init(proxy_request *request) { *request = (proxy_request){0}; }

void proxy_request_reset(proxy_request *request) {
    free(request->head);
    proxy_request_init(request);
}

static proxy_request_result fail(proxy_request *request) {
    request->state = AT_ERROR;
    return PROXY_REQUEST_ERROR;
}

static bool append_head(proxy_request *request, const char *bytes, size_t length) {
    size_t needed = request->head_length + length;
    if (needed > PROXY_MAX_HEAD)
        return false;
    if (needed > request->head_capacity) {
        uint32_t capacity = request->head_capacity ? request->head_capacity : 1024;
        while (capacity < needed)
            capacity *= 2;
        char *grown = realloc(request->head, capacity);
        if (!grown)
            return false;
        request->head = grown;
        request->head_capacity = capacity;
    }
    memcpy(request->head + request->head_length, bytes, length);
    request->head_length = (uint32_t)needed;
    return true;
}

static bool named(proxy_span name, const char *word) {
    return strlen(word) == name.length && strncasecmp(name.start, word, name.length) == 0;
}

static proxy_span trim(const char *p, const char *end) {
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    while (end > p && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    return (proxy_span){p, (size_t)(end - p)};
}

/* METHOD SP target SP HTTP/1.x */
static bool read_request_line(proxy_request *request, const char *line, const char *end) {
    const char *target = memchr(line, ' ', (size_t)(end - line));
    const char *version = target ? memchr(target + 1, ' ', (size_t)(end - target - 1)) : NULL;
    if (!version || target == line || end - version != 9 || memcmp(version + 1, "HTTP/1.", 7) != 0)
        return false;
    proxy_span method = {line, (size_t)(target - line)};
    request->method = named(method, "POST")      ? PROXY_METHOD_POST
                      : named(method, "HEAD")    ? PROXY_METHOD_HEAD
                      : named(method, "CONNECT") ? PROXY_METHOD_CONNECT
                                                 : PROXY_METHOD_OTHER;
    target++;
    if (version - target > 7 && strncasecmp(target, "http://", 7) == 0) {
        const char *path = memchr(target + 7, '/', (size_t)(version - target - 7));
        target = path ? path : version;
    }
    const char *query = memchr(target, '?', (size_t)(version - target));
    request->path = (proxy_span){target, (size_t)((query ? query : version) - target)};
    return true;
}

static bool read_length(proxy_request *request, proxy_span value) {
    uint64_t length = 0;
    if (!value.length || value.length > 18)
        return false;
    for (size_t i = 0; i < value.length; i++) {
        if (value.start[i] < '0' || value.start[i] > '9')
            return false;
        length = length * 10 + (uint64_t)(value.start[i] - '0');
    }
    if (request->has_length && request->remaining != length)
        return false;
    request->has_length = true;
    request->remaining = length;
    return true;
}

static bool read_field(proxy_request *request, const char *line, const char *end) {
    const char *colon = memchr(line, ':', (size_t)(end - line));
    if (!colon || colon == line || *line == ' ' || *line == '\t')
        return false;
    proxy_span name = {line, (size_t)(colon - line)}, value = trim(colon + 1, end);
    if (named(name, "content-length"))
        return read_length(request, value);
    if (named(name, "transfer-encoding")) {
        /* Other codings may come first; the last one, chunked, frames the body. */
        if (value.length < 7 || strncasecmp(value.start + value.length - 7, "chunked", 7) != 0)
            return false;
        request->chunked = true;
    } else if (named(name, "expect")) {
        request->expects_continue = named(value, "100-continue");
    }
    return true;
}

/* Parses the complete head. */
static proxy_request_result read_head(proxy_request *request) {
    const char *line = request->head, *end = request->head + request->head_length;
    for (bool first = true; line < end; first = false) {
        const char *lf = memchr(line, '\n', (size_t)(end - line));
        const char *line_end = lf > line && lf[-1] == '\r' ? lf - 1 : lf;
        if (line_end == line)
            break;
        if (!(first ? read_request_line(request, line, line_end) : read_field(request, line, line_end)))
            return fail(request);
        line = lf + 1;
    }
    if (request->chunked && request->has_length)   /* RFC 9112, section 6.1: it is unknown which one the server uses */
        return fail(request);
    request->state = request->chunked ? AT_SIZE : request->remaining ? AT_BODY : AT_END;
    request->expects_continue &= request->state != AT_END;
    return PROXY_REQUEST_HEAD;
}

/* Takes lines up to the blank line. */
static proxy_request_result take_head(proxy_request *request, const char **p, const char *end) {
    while (*p < end) {
        const char *lf = memchr(*p, '\n', (size_t)(end - *p));
        size_t taken = lf ? (size_t)(lf - *p) + 1 : (size_t)(end - *p);
        request->wire_bytes += taken;
        if (!append_head(request, *p, taken))
            return fail(request);
        *p += taken;
        if (!lf)
            return PROXY_REQUEST_MORE;
        uint32_t length = request->head_length - request->line_start;
        bool blank = length == 1 || (length == 2 && request->head[request->line_start] == '\r');
        if (blank && request->line_start > 0)
            return read_head(request);
        if (blank)
            request->head_length = 0;   /* RFC 9112, section 2.2: empty lines before a request are ignored */
        request->line_start = request->head_length;
    }
    return PROXY_REQUEST_MORE;
}

static proxy_request_result take_body(proxy_request *request, const char **p, const char *end, proxy_span *body) {
    uint64_t available = (uint64_t)(end - *p);
    size_t length = (size_t)(request->remaining < available ? request->remaining : available);
    *body = (proxy_span){*p, length};
    *p += length;
    request->remaining -= length;
    request->wire_bytes += length;
    if (!request->remaining)
        request->state = request->state == AT_BODY ? AT_END : AT_CHUNK_END;
    return PROXY_REQUEST_BODY;
}

static int hex_value(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Parses one byte of a chunk's framing or of the trailers. Returns false when it is not valid by RFC 9112. */
static bool take_framing_byte(proxy_request *request, char c) {
    request->wire_bytes++;
    switch (request->state) {
    case AT_SIZE:
        if (hex_value(c) >= 0) {
            if (++request->line_bytes > 15)
                return false;
            request->remaining = request->remaining << 4 | (uint64_t)hex_value(c);
            return true;
        }
        if (!request->line_bytes)
            return false;
        request->state = AT_EXTENSION;
        /* fall through */
    case AT_EXTENSION:
        if (c == '\n') {
            request->line_bytes = 0;
            request->state = request->remaining ? AT_CHUNK : AT_TRAILERS;
            return true;
        }
        return ++request->line_bytes < PROXY_MAX_HEAD;
    case AT_CHUNK_END:
        if (c == '\n')
            request->state = AT_SIZE;
        return c == '\n' || c == '\r';
    default:   /* AT_TRAILERS: line_bytes counts the bytes of the line without CR */
        if (c == '\n') {
            if (!request->line_bytes)
                request->state = AT_END;
            request->line_bytes = 0;
            return true;
        }
        request->line_bytes += c != '\r';
        return request->line_bytes < PROXY_MAX_HEAD;
    }
}

proxy_request_result proxy_request_next(proxy_request *request, const char **p, const char *end, proxy_span *body) {
    for (;;) {
        switch (request->state) {
        case AT_END: return PROXY_REQUEST_COMPLETE;
        case AT_ERROR: return PROXY_REQUEST_ERROR;
        default: break;
        }
        if (*p == end)
            return PROXY_REQUEST_MORE;
        switch (request->state) {
        case AT_HEAD: {
            proxy_request_result result = take_head(request, p, end);
            if (result != PROXY_REQUEST_MORE)
                return result;
            break;
        }
        case AT_BODY:
        case AT_CHUNK: return take_body(request, p, end, body);
        default:
            if (!take_framing_byte(request, *(*p)++))
                return fail(request);
        }
    }
}
