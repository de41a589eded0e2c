/* Drives a fuzz target where libFuzzer is not at hand: seeded mutations of corpus files, for a number of seconds.
 *
 *     fuzz_x SECONDS CRASH_FILE [FILE...]      one FILE and 0 seconds: runs the file as it is
 *
 * It has no coverage to guide it, so it mixes the corpus with words that the parsers look for. When a sanitizer
 * stops the program, or the target aborts, the input is written to CRASH_FILE. */
#include "base/clock.h"
#include "support/pieces.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <sanitizer/common_interface_defs.h>

#define MOST_BYTES 8192
#define MOST_FILES 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const WORDS[] = {
    "\r\n", "\n\n", "\r", "\n", "\r\n\r\n", "0\r\n\r\n", "5\r\nhello\r\n", ";x=y", "FFFFFFFFFFFFFFFF", "7fffffffffffffff",
    "HTTP/1.1 200 OK\r\n", "HTTP/1.0 204 X\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Connection: close\r\n",
    "Content-Type: text/event-stream\r\n", "Retry-After: 99999999999\r\n", ", ", ":", ": ", "data: ", "data:", "data",
    "event: error\n", "event: ", "error: ", "id: 1\n", ":\n\n", ": ping\n\n", "\xEF\xBB\xBF", "[DONE]", "{", "}", "[", "]", "\"",
    "\\", "\\\"", ",", "null", "true", "false", "-", "0", "1e5", "12.5", "NaN", "Infinity", "{\"a\":[{\"b\":1}]}",
    "{\"choices\":[{\"delta\":{\"content\":\"x\"}}]}", "\"usage\":{\"prompt_tokens\":3}", "\"error\":", "\"id\":", "\"token_ids\":[1,2]",
    "\"type\":\"response.completed\"", "[[[[[[[[[[[[[[[[", "]]]]]]]]]]]]]]]]", "\0",
};

typedef struct { uint8_t *bytes; size_t length; } seed_file;

static uint8_t input[MOST_BYTES];
static size_t input_length;
static const char *crash_file;

static void save_input(void) {
    FILE *file = fopen(crash_file, "wb");
    if (file) {
        fwrite(input, 1, input_length, file);
        fclose(file);
        fprintf(stderr, "the input is in %s\n", crash_file);
    }
}

static void on_abort(int number) {
    save_input();
    signal(number, SIG_DFL);
    raise(number);
}

static void insert(size_t at, const void *bytes, size_t length) {
    if (length > MOST_BYTES - input_length)
        length = MOST_BYTES - input_length;
    memmove(input + at + length, input + at, input_length - at);
    memcpy(input + at, bytes, length);
    input_length += length;
}

static void erase(size_t at, size_t length) {
    if (length > input_length - at)
        length = input_length - at;
    memmove(input + at, input + at + length, input_length - at - length);
    input_length -= length;
}

static void mutate(uint64_t *random, const seed_file *files, int count) {
    uint64_t r = next_random(random);
    size_t at = input_length ? (size_t)(r >> 8) % (input_length + 1) : 0, length = (size_t)(r >> 40) % 24 + 1;
    const char *word = WORDS[(r >> 48) % (sizeof WORDS / sizeof *WORDS)];
    uint8_t piece[256];
    switch (r % 9) {
    case 0:
        if (at < input_length)
            input[at] ^= (uint8_t)(1u << (r >> 56 & 7));
        break;
    case 1:
        if (at < input_length)
            input[at] = (uint8_t)(r >> 56);
        break;
    case 2: erase(at, length); break;
    case 3: insert(at, word, *word ? strlen(word) : 1); break;
    case 4:
        erase(at, length);
        insert(at, word, *word ? strlen(word) : 1);
        break;
    case 5:   /* a piece of itself again */
        length = length * 8 < input_length - at ? length * 8 : input_length - at;
        memcpy(piece, input + at, length);
        insert((size_t)(r >> 20) % (input_length + 1), piece, length);
        break;
    case 6:   /* a piece of another file */
        if (count) {
            const seed_file *file = &files[(r >> 32) % (unsigned)count];
            size_t from = (size_t)next_random(random) % (file->length + 1);
            size_t most = file->length - from < 200 ? file->length - from : 200;
            insert(at, file->bytes + from, most);
        }
        break;
    case 7: erase(at, input_length); break;
    default: erase(0, at); break;
    }
}

static void start_from(const seed_file *file) {
    input_length = file->length < MOST_BYTES ? file->length : MOST_BYTES;
    memcpy(input, file->bytes, input_length);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s SECONDS CRASH_FILE [FILE...]\n", argv[0]);
        return 2;
    }
    int64_t deadline = clock_mono_ns() + atoll(argv[1]) * TT_NS_PER_S;
    crash_file = argv[2];
    static seed_file files[MOST_FILES];
    int count = 0;
    for (int i = 3; i < argc && count < MOST_FILES; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file) {
            perror(argv[i]);
            return 2;
        }
        uint8_t *bytes = malloc(1 << 16);
        if (!bytes)
            return 2;
        files[count++] = (seed_file){bytes, fread(bytes, 1, 1 << 16, file)};
        fclose(file);
    }
    __sanitizer_set_death_callback(save_input);
    signal(SIGABRT, on_abort);
    for (int i = 0; i < count; i++) {
        start_from(&files[i]);
        LLVMFuzzerTestOneInput(input, input_length);
    }
    uint64_t random = UINT64_C(88172645463325252);
    long runs = 0;
    while (clock_mono_ns() < deadline) {
        uint64_t r = next_random(&random);
        input_length = 0;
        if (count && r % 16)
            start_from(&files[r / 16 % (unsigned)count]);
        if (input_length > 600 && r >> 62) {   /* most of the time a short part of it */
            erase(0, (size_t)(next_random(&random) % input_length));
            input_length = input_length < 600 ? input_length : 600;
        }
        for (uint64_t n = (r >> 40) % 12; n; n--)
            mutate(&random, files, count);
        LLVMFuzzerTestOneInput(input, input_length);
        runs++;
    }
    printf("%s: %ld runs, nothing found\n", argv[0], runs);
    for (int i = 0; i < count; i++)
        free(files[i].bytes);
    return 0;
}
