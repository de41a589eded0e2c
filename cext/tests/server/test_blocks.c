/* The promises of blocks.h: counts as in body.h, and equal keys exactly for equal prompts. */
#include "server/request/blocks.h"
#include "server/request/body.h"
#include "server/model/draw.h"
#include "support/check.h"

#include <stdlib.h>

#define MOST 4096

typedef struct { uint64_t keys[MOST]; size_t count; int64_t tokens; } keyed;

/* Computes the keys of a prompt of these pieces, each in memory of exactly its size, so that the sanitizer finds a read past the end. */
static keyed *keys_of(uint32_t block_tokens, bool ids, const char *const *pieces) {
    keyed *made = calloc(1, sizeof *made);
    prompt_blocks blocks;
    blocks_init(&blocks, block_tokens);
    blocks_restart(&blocks);
    for (; *pieces; pieces++) {
        size_t length = strlen(*pieces);
        char *copy = malloc(length ? length : 1);
        memcpy(copy, *pieces, length);
        made->tokens += ids ? blocks_add_ids(&blocks, copy, length) : blocks_add_text(&blocks, copy, length);
        free(copy);
    }
    blocks_end_prompt(&blocks);
    CHECK_NUMBER(blocks.prompt_count, 1);
    CHECK_NUMBER(blocks.prompts[0].blocks, blocks.key_count);
    CHECK_NUMBER(blocks.prompts[0].tokens, made->tokens);
    made->count = blocks.key_count;
    if (made->count)
        memcpy(made->keys, blocks.keys, made->count * sizeof *blocks.keys);
    blocks_free(&blocks);
    return made;
}

#define TEXT(...) (const char *const[]){__VA_ARGS__, NULL}

/* Returns how many of the first keys are equal. */
static size_t shared(keyed *a, keyed *b) {
    size_t same = 0;
    while (same < a->count && same < b->count && a->keys[same] == b->keys[same])
        same++;
    free(a);
    free(b);
    return same;
}

static void check_counts(void) {
    static const struct { const char *text; int64_t words; } ROWS[] = {
        {"", 0}, {" ", 0}, {"a", 1}, {" a b\\n\\nc ", 3}, {"\\\\n", 1}, {"a\\\"b c\\\\ d", 3}, {"\\n\\t\\r", 0}, {"a\\", 1},
        {"one two three four five", 5}, {"\\u0020x y", 2}};
    for (uint32_t size = 1; size < 5; size++)
        for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
            check_case = ROWS[i].text;
            keyed *made = keys_of(size, false, TEXT(ROWS[i].text));
            CHECK_NUMBER(made->tokens, ROWS[i].words);
            CHECK_NUMBER(body_count_words(ROWS[i].text, strlen(ROWS[i].text)), ROWS[i].words);
            CHECK_NUMBER(made->count, (ROWS[i].words + size - 1) / size);
            free(made);
        }
}

static void check_texts(void) {
    check_case = "texts";
    CHECK_NUMBER(shared(keys_of(2, false, TEXT("a b c d e")), keys_of(2, false, TEXT("a b c d e"))), 3);
    CHECK_NUMBER(shared(keys_of(2, false, TEXT("a b c d e")), keys_of(2, false, TEXT("a b c d e f"))), 2);
    CHECK_NUMBER(shared(keys_of(2, false, TEXT("a b c d")), keys_of(2, false, TEXT("a b c d e f"))), 2);
    CHECK_NUMBER(shared(keys_of(2, false, TEXT("a b x d e f")), keys_of(2, false, TEXT("a b c d e f"))), 1);
    CHECK_NUMBER(shared(keys_of(2, false, TEXT("x b c d")), keys_of(2, false, TEXT("a b c d"))), 0);
    CHECK_NUMBER(shared(keys_of(2, false, TEXT("ab c")), keys_of(2, false, TEXT("a bc"))), 0);
    CHECK_NUMBER(shared(keys_of(2, false, TEXT(" a b  c d ")), keys_of(2, false, TEXT("a b c d"))), 2);
    CHECK_NUMBER(shared(keys_of(2, false, TEXT("a b\\nc d\\n")), keys_of(2, false, TEXT("a b c d"))), 2);
    CHECK_NUMBER(shared(keys_of(2, false, TEXT("a b", "c d")), keys_of(2, false, TEXT("a b", "c d", "e f"))), 2);
    CHECK_NUMBER(shared(keys_of(2, false, TEXT("a", "b c d")), keys_of(2, false, TEXT("a", "b c d", "e"))), 2);
}

static void check_ids(void) {
    check_case = "ids";
    CHECK_NUMBER(shared(keys_of(2, true, TEXT("[1,2,3,4,5]")), keys_of(2, true, TEXT("[1, 2,\n3,4 , 5 ]"))), 3);
    CHECK_NUMBER(shared(keys_of(2, true, TEXT("[1,2,3,4,5]")), keys_of(2, true, TEXT("[1,2,3,4,5,6]"))), 2);
    CHECK_NUMBER(shared(keys_of(2, true, TEXT("[12,3]")), keys_of(2, true, TEXT("[1,23]"))), 0);
    CHECK_NUMBER(shared(keys_of(2, true, TEXT("[0,3]")), keys_of(2, true, TEXT("[3,0]"))), 0);
    CHECK_NUMBER(shared(keys_of(2, true, TEXT("[1,2]")), keys_of(2, false, TEXT("1 2"))), 0);
    keyed *made = keys_of(4, true, TEXT("[1,2,3,4,5,6,7,8,9]"));
    CHECK_NUMBER(made->tokens, 9);
    CHECK_NUMBER(made->count, 3);
    free(made);
}

/* Compares long texts, whose words are counted piecewise, with the path for texts with escapes, which scans every byte. */
static void check_long(void) {
    check_case = "long";
    enum { WORDS = 3000 };
    for (uint32_t size = 1; size <= 1024; size = size * 2 + 1) {
        char *plain = malloc(16 * WORDS), *p = plain;
        for (int i = 0; i < WORDS; i++)
            p += sprintf(p, "%s%.*s", i ? " " : "", (int)(1 + draw_mix((uint64_t)i) % 12), &"abcdefghijklmnop"[i % 3]);
        keyed *whole = keys_of(size, false, TEXT(plain));
        CHECK_NUMBER(whole->tokens, WORDS);
        char *escaped = malloc(16 * WORDS + 8);
        sprintf(escaped, "%s \\\\", plain);   /* one more word, a backslash */
        keyed *other = keys_of(size, false, TEXT(escaped));
        CHECK_NUMBER(other->tokens, WORDS + 1);
        CHECK_NUMBER(shared(whole, other), WORDS / size);
        free(plain);
        free(escaped);
    }
}

static void check_prompts(void) {
    check_case = "several prompts";
    prompt_blocks blocks;
    blocks_init(&blocks, 2);
    for (int round = 0; round < 2; round++) {
        blocks_restart(&blocks);
        for (int prompt = 0; prompt < 3; prompt++) {
            CHECK_NUMBER(blocks_add_text(&blocks, "a b c", 5), 3);
            blocks_end_prompt(&blocks);
        }
        blocks_end_prompt(&blocks);   /* an empty prompt */
        CHECK_NUMBER(blocks.prompt_count, 4);
        CHECK_NUMBER(blocks.key_count, 6);
        CHECK_NUMBER(blocks.prompts[3].blocks, 6);
        CHECK_NUMBER(blocks.prompts[3].tokens, 0);
        for (size_t i = 2; i < 6; i++)
            CHECK(blocks.keys[i] == blocks.keys[i - 2]);   /* each prompt begins a new chain */
    }
    blocks_free(&blocks);
}

int main(void) {
    check_counts();
    check_texts();
    check_ids();
    check_long();
    check_prompts();
    return check_report("server_blocks");
}
