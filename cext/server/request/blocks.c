#include "server/request/blocks.h"

#include <stdlib.h>
#include <string.h>

#include "server/model/draw.h"

#define PIECE_BYTES 128
#define PIECE_WORDS (PIECE_BYTES / 2)
#define TEXT_START UINT64_C(0x243f6a8885a308d3)   /* start of a chain of keys; texts and ids have different ones */
#define IDS_START UINT64_C(0x13198a2e03707344)

void blocks_init(prompt_blocks *blocks, uint32_t block_tokens) {
    *blocks = (prompt_blocks){.block_tokens = block_tokens, .chain = TEXT_START};
}

void blocks_free(prompt_blocks *blocks) {
    free(blocks->keys);
    free(blocks->prompts);
    blocks_init(blocks, 0);
}

static void begin_prompt(prompt_blocks *blocks) {
    blocks->chain = TEXT_START;
    blocks->open = blocks->filled = 0;
    blocks->tokens = 0;
}

void blocks_restart(prompt_blocks *blocks) {
    blocks->key_count = blocks->prompt_count = 0;
    blocks->failed = false;
    begin_prompt(blocks);
}

/* ---- keys ------------------------------------------------------------------------ */

/* Folds both halves of a product, so that every bit of the result depends on every bit of the state. */
static inline uint64_t fold(uint64_t state) {
    unsigned __int128 product = (unsigned __int128)state * UINT64_C(0xa4093822299f31d1);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_bytes(uint64_t state, const char *bytes, size_t length) {
    uint64_t word;
    size_t at = 0;
    state ^= draw_mix(length);
    for (; length - at >= sizeof word; at += sizeof word) {
        memcpy(&word, bytes + at, sizeof word);
        state = fold(state ^ word) + word;
    }
    word = 0;
    memcpy(&word, bytes + at, length - at);
    return fold(state ^ word) + word;
}

static bool make_room(void **items, size_t *room, size_t count, size_t size) {
    if (count < *room)
        return true;
    size_t more = *room ? *room * 2 : 256;
    void *grown = realloc(*items, more * size);
    if (!grown)
        return false;
    *items = grown;
    *room = more;
    return true;
}

static void close_block(prompt_blocks *blocks) {
    blocks->chain = draw_mix(fold(blocks->chain ^ draw_mix(blocks->open)) + blocks->filled);
    blocks->open = blocks->filled = 0;
    if (blocks->failed || !make_room((void **)&blocks->keys, &blocks->key_room, blocks->key_count, sizeof *blocks->keys))
        blocks->failed = true;
    else
        blocks->keys[blocks->key_count++] = blocks->chain;
}

void blocks_end_prompt(prompt_blocks *blocks) {
    if (blocks->filled)
        close_block(blocks);
    if (make_room((void **)&blocks->prompts, &blocks->prompt_room, blocks->prompt_count, sizeof *blocks->prompts))
        blocks->prompts[blocks->prompt_count++] = (block_prompt){blocks->key_count, blocks->tokens};
    else
        blocks->failed = true;
    begin_prompt(blocks);
}

/* ---- words ----------------------------------------------------------------------- */

/* A run of words: the start of the next word (or the end of the text), the end of the run's last word, and how many words it has. */
typedef struct { size_t next, end; uint32_t words; } word_run;

static inline int is_space(unsigned char c) { return (c == ' ') | (c == '\t') | (c == '\n') | (c == '\r'); }

static inline int starts_word(const char *text, size_t i) {
    return is_space((unsigned char)text[i - 1]) & !is_space((unsigned char)text[i]);
}

/* Finds a run of at most `most` words. text[at] must start a word, and the text must have no escapes. Whole pieces are counted
 * without a branch; only the piece in which the next word starts is scanned byte by byte. */
static word_run run_piecewise(const char *text, size_t length, size_t at, uint32_t most) {
    word_run run = {.next = length, .words = 1};
    for (size_t piece = at + 1; piece < length; piece += PIECE_BYTES) {
        size_t end = length - piece < PIECE_BYTES ? length : piece + PIECE_BYTES;
        uint8_t starts = 0;
        for (size_t i = piece; i < end; i++)
            starts += (uint8_t)starts_word(text, i);
        if (run.words + starts <= most) {
            run.words += starts;
            continue;
        }
        for (size_t i = piece; i < end; i++) {
            if (!starts_word(text, i))
                continue;
            if (run.words == most) {
                run.next = i;
                break;
            }
            run.words++;
        }
        break;
    }
    for (run.end = run.next; is_space((unsigned char)text[run.end - 1]);)
        run.end--;
    return run;
}

/* Returns true when the character at i is white space, escaped or not; *next: the index after it. */
static inline bool space_at(const char *text, size_t length, size_t i, size_t *next) {
    if (text[i] == '\\' && i + 1 < length) {
        *next = i + 2;
        return text[i + 1] == 'n' || text[i + 1] == 't' || text[i + 1] == 'r';
    }
    *next = i + 1;
    return is_space((unsigned char)text[i]);
}

static word_run run_bytewise(const char *text, size_t length, size_t at, uint32_t most) {
    word_run run = {.next = length, .end = at};
    bool inside = false;
    for (size_t i = at, next; i < length; i = next) {
        bool space = space_at(text, length, i, &next);
        if (!space && !inside && run.words == most) {
            run.next = i;
            break;
        }
        run.words += !space && !inside;
        inside = !space;
        if (inside)
            run.end = next;
    }
    return run;
}

int64_t blocks_add_text(prompt_blocks *blocks, const char *text, size_t length) {
    /* Short runs usually end within the first piece, so counting the whole piece first would not pay. */
    bool bytewise = blocks->block_tokens < PIECE_WORDS || (length && memchr(text, '\\', length));
    size_t at = 0, next;
    int64_t words = 0;
    while (at < length && space_at(text, length, at, &next))
        at = next;
    while (at < length) {
        uint32_t most = blocks->block_tokens - blocks->filled;
        word_run run = bytewise ? run_bytewise(text, length, at, most) : run_piecewise(text, length, at, most);
        blocks->open = hash_bytes(blocks->open, text + at, run.end - at);
        blocks->filled += run.words;
        words += run.words;
        at = run.next;
        if (blocks->filled == blocks->block_tokens)
            close_block(blocks);
    }
    blocks->tokens += words;
    return words;
}

int64_t blocks_add_ids(prompt_blocks *blocks, const char *array, size_t length) {
    int64_t ids = 0;
    if (!blocks->tokens)
        blocks->chain = IDS_START;
    for (size_t i = 1; i + 1 < length; ids++) {
        uint64_t id = 1;   /* so that an empty number differs from 0 */
        for (; i + 1 < length && array[i] != ','; i++)
            if (!is_space((unsigned char)array[i]))
                id = (id << 4 | id >> 60) ^ ((unsigned char)array[i] & 15);
        i++;
        blocks->open = fold(blocks->open ^ id) + id;
        if (++blocks->filled == blocks->block_tokens)
            close_block(blocks);
    }
    blocks->tokens += ids;
    return ids;
}
