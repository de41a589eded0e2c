/* Responses of any kind: memory stays sound, a cut changes nothing, and the parser gets on. */
#include "support/dialects.h"
#include "support/readers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_response(http1_reader *reader, const char *bytes, size_t length, uint64_t seed) {
    http1_reader_init(reader, NULL);
    if (seed)
        feed_random(http1_reader_feed, reader, bytes, length, seed);
    else
        feed_piece(http1_reader_feed, reader, bytes, length);
    http1_reader_finish(reader);
}

/* The last byte chooses the cuts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    http1_reader whole, cut;
    read_response(&whole, (const char *)data, size - 1, 0);
    read_response(&cut, (const char *)data, size - 1, data[size - 1] + UINT64_C(1));
    if (!record_equal(&whole.out, &cut.out) || whole.responses != cut.responses || whole.last != cut.last)
        abort();
    http1_reader_free(&whole);
    http1_reader_free(&cut);
    return 0;
}
