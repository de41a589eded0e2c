/* requests.h: reads requests piece by piece and writes down what came: "POST /path keep <body>;" for each complete
 * one, the status of an error at its end. */
#ifndef TT_REQUESTS_H
#define TT_REQUESTS_H

#include "server/request/http_request.h"
#include "support/pieces.h"

#include <stdio.h>

typedef void request_seen(const request_parser *request);

typedef struct {
    request_parser parser;
    record out;
    bool failed;
    request_seen *seen;          /* called with each complete request; may be NULL */
} request_reader;

static inline void request_reader_init(request_reader *reader) {
    *reader = (request_reader){0};
    request_init(&reader->parser);
}

static inline void request_reader_free(request_reader *reader) {
    request_reset(&reader->parser);
    record_free(&reader->out);
}

static inline void request_reader_feed(void *argument, const char *p, const char *end) {
    static const char *const METHODS[] = {"GET", "HEAD", "POST", "OTHER"};
    request_reader *reader = argument;
    request_parser *request = &reader->parser;
    char text[REQUEST_PATH_BYTES + 64];
    while (!reader->failed) {
        switch (request_next(request, &p, end)) {
        case REQUEST_MORE:
            if (p != end)
                abort();
            return;
        case REQUEST_HEAD: break;
        case REQUEST_COMPLETE:
            record_bytes(&reader->out, text, (size_t)sprintf(text, "%s %s%s%s%s <", METHODS[request->method], request->path,
                                                             request->http_1_0 ? " 1.0" : "", request->keep_alive ? " keep" : "",
                                                             request->expects_continue ? " expects" : ""));
            record_bytes(&reader->out, request->body, request->body_length);
            record_bytes(&reader->out, ">;", 2);
            if (reader->seen)
                reader->seen(request);
            request_reset(request);
            break;
        case REQUEST_ERROR:
            reader->failed = true;
            record_bytes(&reader->out, text, (size_t)sprintf(text, "%u", request->error_status));
            if (!request->error || request_next(request, &p, end) != REQUEST_ERROR)
                abort();
            break;
        }
    }
}

#endif
