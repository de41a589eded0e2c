/* blocks.h: computes the keys of a prompt's blocks while it counts the prompt's words.
 *
 * A prompt is divided into blocks of block_tokens tokens: words of a text as body_count_words() counts them, or ids. The key of a
 * block is a hash of 64 bits over the key before it and the block's content: the bytes of a text from the start of its first word to
 * the end of its last word, or the values of ids. So equal keys mean equal prompts up to the end of the block. The last block of a
 * prompt may be filled in part; its key differs from that of any longer block.
 *
 *     blocks_restart(&blocks);                        // for each request
 *     words = blocks_add_text(&blocks, text, length); // for each message of a prompt, in order; or
 *     ids = blocks_add_ids(&blocks, array, length);
 *     blocks_end_prompt(&blocks);                     // for each prompt of the request
 *
 * The ends of messages are part of the hashed text. One pass; 1 MB takes about 1.5 ms. */
#ifndef TT_SERVER_BLOCKS_H
#define TT_SERVER_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct { size_t blocks; int64_t tokens; } block_prompt;   /* blocks: number of keys up to the end of this prompt; tokens: of this prompt */

typedef struct {
    uint32_t block_tokens;       /* 0: no blocks are computed, and nothing may be added */
    uint64_t chain;              /* key of the blocks before the open block */
    uint64_t open;               /* hash state of the open block */
    uint32_t filled;             /* tokens of the open block */
    int64_t tokens;              /* tokens of the current prompt so far */
    bool failed;                 /* memory was out: the keys of this request are incomplete */
    uint64_t *keys;
    size_t key_count, key_room;
    block_prompt *prompts;
    size_t prompt_count, prompt_room;
} prompt_blocks;

void blocks_init(prompt_blocks *blocks, uint32_t block_tokens);
void blocks_free(prompt_blocks *blocks);

/* Drops the keys of the last request, and keeps the memory. */
void blocks_restart(prompt_blocks *blocks);

/* Adds the raw bytes of a JSON string. Returns the number of its words. */
int64_t blocks_add_text(prompt_blocks *blocks, const char *text, size_t length);

/* Adds a JSON array of ids with its brackets. Returns the number of its elements. */
int64_t blocks_add_ids(prompt_blocks *blocks, const char *array, size_t length);

/* Ends a prompt and its last block. */
void blocks_end_prompt(prompt_blocks *blocks);

#endif
