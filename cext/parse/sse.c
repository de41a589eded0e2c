#include "parse/sse.h"

#include <stdlib.h>
#include <string.h>

/* sse.flags */
enum {
    HAS_FIELD = 1,        /* the event has begun: a field other than a comment was seen */
    HAS_COMMENT = 2,      /* a comment waits for what comes after it */
    HAS_DATA = 4,
    HAS_ERROR = 8,        /* an error field */
    WAS_CRLF = 16,        /* the last line of the event ended in CRLF */
};

static const char BOM[3] = {'\xEF', '\xBB', '\xBF'};

void sse_init(sse *framer) { *framer = (sse){0}; }

void sse_free(sse *framer) {
    free(framer->data.bytes);
    free(framer->name.bytes);
    free(framer->line.bytes);
    sse_init(framer);
}

void sse_reset(sse *framer) { sse_free(framer); }

/* ---- bytes carried over --------------------------------------------------------- */

/* false: memory out. `bytes` may not lie within the buffer. */
static bool append(sse_buffer *buffer, const char *bytes, size_t length) {
    if (length > buffer->capacity - buffer->length) {
        size_t capacity = buffer->capacity ? buffer->capacity : 512;
        while (capacity < buffer->length + length)
            capacity *= 2;
        char *grown = realloc(buffer->bytes, capacity);
        if (!grown)
            return false;
        buffer->bytes = grown;
        buffer->capacity = capacity;
    }
    if (length)
        memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
    return true;
}

/* The event's data and name while its lines are read: they lie in the caller's buffer, in framer->line, or (then
 * copied) in framer->data and framer->name. */
typedef struct { const char *data; size_t data_length; const char *name; size_t name_length; } parts;

/* Copies the parts that lie elsewhere into the framer's own buffers. */
static bool hold(sse *framer, parts *now) {
    if (now->data_length && now->data != framer->data.bytes) {
        framer->data.length = 0;
        if (!append(&framer->data, now->data, now->data_length))
            return false;
        now->data = framer->data.bytes;
    }
    framer->data.length = now->data_length;
    if (now->name_length && now->name != framer->name.bytes) {
        framer->name.length = 0;
        if (!append(&framer->name, now->name, now->name_length))
            return false;
        now->name = framer->name.bytes;
    }
    framer->name.length = now->name_length;
    return true;
}

/* ---- lines ---------------------------------------------------------------------- */

/* The first CR or LF, or NULL. The window keeps a stream of lone CRs from being searched for an LF to its end at every
 * line. */
static inline const char *line_end(const char *p, const char *end) {
    for (size_t window = 512; p < end; window *= 2) {
        size_t length = (size_t)(end - p) < window ? (size_t)(end - p) : window;
        const char *lf = memchr(p, '\n', length);
        const char *cr = memchr(p, '\r', lf ? (size_t)(lf - p) : length);
        if (cr || lf)
            return cr ? cr : lf;
        p += length;
    }
    return NULL;
}

static inline bool is_field(const char *line, size_t length, const char *name) {
    return length == strlen(name) && memcmp(line, name, length) == 0;
}

/* Takes one line without its end; it is not empty. false: memory out. */
static inline bool take_line(sse *framer, parts *now, const char *line, size_t length) {
    bool usual = length >= 5 && memcmp(line, "data:", 5) == 0;
    const char *colon = usual ? line + 4 : memchr(line, ':', length);
    if (colon == line) {
        if (!(framer->flags & HAS_FIELD))
            framer->flags |= HAS_COMMENT;
        else if ((framer->flags & HAS_DATA) || now->data_length)
            return true;
        now->data = line + 1;
        now->data_length = length - 1;
        return true;
    }
    size_t field = colon ? (size_t)(colon - line) : length;
    const char *value = line + field + (colon != NULL);
    size_t value_length = length - field - (colon != NULL);
    if (value_length && *value == ' ')
        value++, value_length--;
    framer->flags |= HAS_FIELD;

    bool error = is_field(line, field, "error");
    if (error || is_field(line, field, "data")) {
        if (error)
            framer->flags |= HAS_ERROR;
        if (!(framer->flags & HAS_DATA)) {
            framer->flags |= HAS_DATA;
            now->data = value;
            now->data_length = value_length;
            return true;
        }
        if (!hold(framer, now) || !append(&framer->data, "\n", 1) || !append(&framer->data, value, value_length))
            return false;
        now->data = framer->data.bytes;
        now->data_length = framer->data.length;
    } else if (is_field(line, field, "event")) {
        now->name = value;
        now->name_length = value_length;
    }
    return true;
}

/* ---- events --------------------------------------------------------------------- */

static sse_result fail(sse *framer, const char **p, const char *end) {
    framer->failed = true;
    *p = end;
    return SSE_TOO_LARGE;
}

/* Hands the event out. The framer's buffers are emptied but not touched before the next call. */
static sse_result emit(sse *framer, const parts *now, sse_event *event) {
    /* Without data, now->data holds a comment that stood among the fields: the text of Dynamo's errors. */
    bool keeps = !(framer->flags & HAS_FIELD) || (framer->flags & HAS_DATA)
                 || is_field(now->name, now->name_length, "error");
    *event = (sse_event){
        .data = keeps && now->data ? now->data : "", .data_length = keeps ? now->data_length : 0,
        .name = now->name ? now->name : "", .name_length = now->name_length,
        .wire_bytes = framer->wire_bytes, .comment = !(framer->flags & HAS_FIELD),
        .has_data = (framer->flags & HAS_DATA) != 0, .error_field = (framer->flags & HAS_ERROR) != 0,
    };
    framer->flags = 0;
    framer->wire_bytes = 0;
    framer->data.length = framer->name.length = 0;
    return SSE_EVENT;
}

/* Skips a byte order mark at the start of a stream. What only began like one belongs to the first line. */
static bool skip_bom(sse *framer, const char **p, const char *end) {
    while (framer->bom_matched < 3 && *p < end) {
        if (**p != BOM[framer->bom_matched]) {
            bool good = append(&framer->line, BOM, framer->bom_matched);
            framer->bom_matched = 3;
            return good;
        }
        framer->bom_matched++;
        (*p)++;
    }
    return true;
}

sse_result sse_next(sse *framer, const char **p, const char *end, sse_event *event) {
    const char *at = *p;
    if (framer->failed)
        return fail(framer, p, end);
    if (framer->bom_matched < 3 && !skip_bom(framer, &at, end))
        return fail(framer, p, end);
    if (framer->skip_lf && at < end) {
        framer->skip_lf = false;
        if (*at == '\n') {
            at++;
            if (framer->flags) {
                framer->wire_bytes++;
                framer->flags |= WAS_CRLF;
            }
        }
    }
    parts now = {framer->data.bytes, framer->data.length, framer->name.bytes, framer->name.length};
    while (at < end) {
        if ((framer->flags & HAS_COMMENT) && !(framer->flags & HAS_FIELD) && *at != '\n' && *at != '\r') {
            *p = at;
            return emit(framer, &now, event);
        }
        const char *stop = line_end(at, end);
        size_t length = (size_t)((stop ? stop : end) - at);
        if (framer->wire_bytes + framer->line.length + length > SSE_MAX_EVENT)
            return fail(framer, p, end);
        if (!stop) {
            if (!hold(framer, &now) || !append(&framer->line, at, length))
                return fail(framer, p, end);
            *p = end;
            return SSE_MORE;
        }
        const char *line = at;
        if (framer->line.length) {
            if (!append(&framer->line, at, length))
                return fail(framer, p, end);
            line = framer->line.bytes;
            length = framer->line.length;
            framer->line.length = 0;
        }
        bool cr = *stop == '\r', crlf = false;
        at = stop + 1;
        if (cr && at < end) {
            crlf = *at == '\n';
            at += crlf;
        } else {
            framer->skip_lf = cr;
        }
        if (length) {
            framer->wire_bytes += (uint32_t)length + 1 + crlf;
            if (!take_line(framer, &now, line, length))
                return fail(framer, p, end);
            framer->flags = (uint8_t)((framer->flags & ~WAS_CRLF) | (crlf ? WAS_CRLF : 0));
        } else if (framer->flags) {
            /* After a line that ended in CRLF the LF of this one is counted before it came, so that the event need not
             * wait for it; else it is never counted. Either way a cut does not change the number. */
            framer->wire_bytes += 1 + (cr && (framer->flags & WAS_CRLF));
            *p = at;
            return emit(framer, &now, event);
        }
    }
    *p = end;
    return hold(framer, &now) ? SSE_MORE : fail(framer, p, end);
}

sse_result sse_finish(sse *framer, sse_event *event) {
    if (framer->failed)
        return SSE_TOO_LARGE;
    parts now = {framer->data.bytes, framer->data.length, framer->name.bytes, framer->name.length};
    if (framer->bom_matched < 3 && !append(&framer->line, BOM, framer->bom_matched)) {
        framer->failed = true;
        return SSE_TOO_LARGE;
    }
    framer->bom_matched = 3;
    framer->skip_lf = false;
    if (framer->line.length) {
        size_t length = framer->line.length;
        framer->line.length = 0;
        framer->wire_bytes += (uint32_t)length;
        if (!take_line(framer, &now, framer->line.bytes, length)) {
            framer->failed = true;
            return SSE_TOO_LARGE;
        }
    }
    return framer->flags ? emit(framer, &now, event) : SSE_MORE;
}
