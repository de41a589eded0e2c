/* blocks.h: the blocks of a prompt as keys, found while its words are counted.
 *
 * A prompt is cut into blocks of block_tokens tokens: words of a text as body_count_words() counts them, or ids. The
 * key of a block is a hash of 64 bits of the key before it and of what stands in the block: a text's bytes from the
 * first word's start to the last word's end, ids by their values. So equal keys mean equal prompts up to the block's
 * end. The last block of a prompt may be part-filled: its key is that of just so many tokens, and meets no longer one.
 *
 *     blocks_restart(&blocks);                        // for each request
 *     words = blocks_add_text(&blocks, text, length); // the messages of one prompt, in their order; or
 *     ids = blocks_add_ids(&blocks, array, length);
 *     blocks_end_prompt(&blocks);                     // for each prompt of the request
 *
 * Where a message ends is part of the text. One pass; 1 MB takes some 1.5 ms. */
#ifndef TT_SERVER_BLOCKS_H
#define TT_SERVER_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct { size_t blocks; int64_t tokens; } block_prompt;   /* blocks: the prompt's last key ends here */

typedef struct {
    uint32_t block_tokens;       /* 0: no blocks are wanted, and nothing may be added */
    uint64_t chain;              /* the key of the blocks before the open one */
    uint64_t open;               /* what stands in the open one so far */
    uint32_t filled;             /* its tokens */
    int64_t tokens;              /* of the prompt so far */
    bool failed;                 /* memory was out: the request's keys end early */
    uint64_t *keys;
    size_t key_count, key_room;
    block_prompt *prompts;
    size_t prompt_count, prompt_room;
} prompt_blocks;

void blocks_init(prompt_blocks *blocks, uint32_t block_tokens);
void blocks_free(prompt_blocks *blocks);

/* Forgets the last request's keys, keeps the memory. */
void blocks_restart(prompt_blocks *blocks);

/* The raw bytes of a JSON string. Returns its words. */
int64_t blocks_add_text(prompt_blocks *blocks, const char *text, size_t length);

/* A JSON array of ids with its brackets. Returns its elements. */
int64_t blocks_add_ids(prompt_blocks *blocks, const char *array, size_t length);

void blocks_end_prompt(prompt_blocks *blocks);

#endif
