/* Requests of any kind: memory stays sound, a cut changes nothing, and reading their bodies ends. */
#include "server/request/body.h"
#include "support/requests.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static body_reader bodies;

static void read_body(const request_parser *request) {
    for (api_kind kind = 0; kind < API_COUNT; kind++) {
        api_request parsed;
        const char *param, *refusal = body_read(&bodies, kind, request->body, request->body_length, &parsed, &param);
        if (!refusal && (parsed.prompt_tokens < 0 || parsed.inputs < 1 || parsed.model_length > API_MAX_MODEL))
            abort();
    }
}

static void read_requests(request_reader *reader, const char *bytes, size_t length, uint64_t seed) {
    request_reader_init(reader);
    reader->seen = read_body;
    if (seed)
        feed_random(request_reader_feed, reader, bytes, length, seed);
    else
        feed_piece(request_reader_feed, reader, bytes, length);
}

/* The last byte chooses the cuts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    if (!bodies.matches && !body_reader_init(&bodies, 3))
        abort();
    request_reader whole, cut;
    read_requests(&whole, (const char *)data, size - 1, 0);
    read_requests(&cut, (const char *)data, size - 1, data[size - 1] + UINT64_C(1));
    if (!record_equal(&whole.out, &cut.out))
        abort();
    request_reader_free(&whole);
    request_reader_free(&cut);
    return 0;
}
