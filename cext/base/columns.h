/* columns.h: flat growing columns of the events table, in blocks of fixed size.
 *
 * A writer appends rows to the open block; a full block (or one that has waited long enough)
 * is closed and handed on whole. Blocks are recycled, so a steady run allocates nothing. Each
 * column of a block is contiguous: a reader wraps it without a copy. */
#ifndef TT_COLUMNS_H
#define TT_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_ROWS 4096          /* rows of a block */
#define EVENT_ROW_BYTES 38       /* bytes of one row over all its columns */

typedef struct event_block {
    struct event_block *next;
    uint32_t rows;
    int64_t request_id[EVENT_ROWS];
    int64_t arrival_ns[EVENT_ROWS];   /* CLOCK_MONOTONIC, the best clock there was */
    int64_t read_ns[EVENT_ROWS];      /* CLOCK_MONOTONIC, user space */
    int32_t event[EVENT_ROWS];        /* 0-based within the request */
    int32_t tokens[EVENT_ROWS];       /* -1: unknown */
    int32_t bytes[EVENT_ROWS];
    uint8_t kind[EVENT_ROWS];         /* event_kind */
    uint8_t coalesced[EVENT_ROWS];    /* 1: a later event came in the same read */
} event_block;

typedef struct {
    event_block *open;                /* rows are appended here; never NULL after columns_init */
    event_block *closed, *closed_last;/* a queue of blocks to hand on */
    event_block *spare;
    uint32_t closed_count, spare_count;
} event_columns;

/* false: memory out. */
bool columns_init(event_columns *columns);
void columns_free(event_columns *columns);

/* Moves the open block, when it has rows, to the closed queue and opens another. false: memory
 * out, the open block stays. */
bool columns_close_block(event_columns *columns);

/* Takes the oldest closed block, or NULL. Give it back with columns_recycle. */
event_block *columns_take(event_columns *columns);
void columns_recycle(event_columns *columns, event_block *block);

/* The row to fill next: an index into the open block's columns. Call columns_added() when it is filled. The open
 * block always has room, as long as columns_added() answered true. */
static inline uint32_t columns_row(const event_columns *columns) { return columns->open->rows; }

/* Counts the filled row; closes a full block. false: memory out (the block is full and could not be replaced). */
static inline bool columns_added(event_columns *columns) {
    return ++columns->open->rows < EVENT_ROWS || columns_close_block(columns);
}

#endif
