#include "base/columns.h"

#include <stdlib.h>

#define SPARE_BLOCKS 16   /* 2.5 MB kept for reuse */

static event_block *fresh_block(event_columns *columns) {
    event_block *block = columns->spare;
    if (block) {
        columns->spare = block->next;
        columns->spare_count--;
    } else {
        block = malloc(sizeof *block);
        if (!block)
            return NULL;
    }
    block->next = NULL;
    block->rows = 0;
    return block;
}

bool columns_init(event_columns *columns) {
    *columns = (event_columns){0};
    columns->open = fresh_block(columns);
    return columns->open != NULL;
}

static void free_chain(event_block *block) {
    while (block) {
        event_block *next = block->next;
        free(block);
        block = next;
    }
}

void columns_free(event_columns *columns) {
    free(columns->open);
    free_chain(columns->closed);
    free_chain(columns->spare);
    *columns = (event_columns){0};
}

bool columns_close_block(event_columns *columns) {
    if (columns->open->rows == 0)
        return true;
    event_block *block = fresh_block(columns);
    if (!block)
        return false;
    if (columns->closed_last)
        columns->closed_last->next = columns->open;
    else
        columns->closed = columns->open;
    columns->closed_last = columns->open;
    columns->closed_count++;
    columns->open = block;
    return true;
}

event_block *columns_take(event_columns *columns) {
    event_block *block = columns->closed;
    if (!block)
        return NULL;
    columns->closed = block->next;
    if (!columns->closed)
        columns->closed_last = NULL;
    columns->closed_count--;
    block->next = NULL;
    return block;
}

void columns_recycle(event_columns *columns, event_block *block) {
    if (columns->spare_count >= SPARE_BLOCKS) {
        free(block);
        return;
    }
    block->next = columns->spare;
    columns->spare = block;
    columns->spare_count++;
}
