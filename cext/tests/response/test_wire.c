/* Raw responses of real servers (the files named on the command line): the whole chain hands out the same at every cut. */
#include "support/check.h"
#include "support/dialects.h"
#include "support/readers.h"

static char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *bytes = malloc(1 << 20);
    if (bytes)
        *length = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

static void read_cut(record *into, const event_dialect *dialect, const char *bytes, size_t length, size_t cut, size_t step) {
    http1_reader reader;
    http1_reader_init(&reader, dialect);
    if (step)
        for (size_t at = 0; at < length; at += step)
            feed_piece(http1_reader_feed, &reader, bytes + at, length - at < step ? length - at : step);
    else {
        feed_piece(http1_reader_feed, &reader, bytes, cut);
        feed_piece(http1_reader_feed, &reader, bytes + cut, length - cut);
    }
    http1_reader_finish(&reader);
    record_bytes(into, reader.out.bytes, reader.out.length);
    http1_reader_free(&reader);
}

int main(int argc, char **argv) {
    event_dialect *dialect = make_dialect(CHAT_PATHS, NULL);
    for (int i = 1; i < argc; i++) {
        size_t length = 0;
        char *bytes = read_file(argv[i], &length);
        record whole = {0}, cut = {0};
        check_case = argv[i];
        CHECK(bytes && length);
        if (!bytes)
            continue;
        read_cut(&whole, dialect, bytes, length, length, 0);
        for (size_t at = 1; at < length; at++) {
            read_cut(&cut, dialect, bytes, length, at, 0);
            CHECK(record_equal(&whole, &cut));
            cut.length = 0;
        }
        for (size_t step = 1; step < 40; step++) {
            read_cut(&cut, dialect, bytes, length, 0, step);
            CHECK(record_equal(&whole, &cut));
            cut.length = 0;
        }
        record_free(&whole);
        record_free(&cut);
        free(bytes);
    }
    CHECK(argc > 1);
    event_dialect_free(dialect);
    return check_report("wire");
}
