#include <stdlib.h>

#include "proxy/proxy_internal.h"

void proxy_row_free(proxy *p, proxy_row *row) {
    atomic_fetch_sub(&p->held_bytes, row->head_length + row->body_length + row->record.text_length);
    free(row->head);
    free(row->body);
    free(row->texts);
    free(row);
}

void rows_add(proxy *p, proxy_row *row) {
    pthread_mutex_lock(&p->lock);
    bool room = p->row_count < PROXY_MAX_ROWS;
    if (room) {
        if (p->rows_last)
            p->rows_last->next = row;
        else
            p->rows = row;
        p->rows_last = row;
        p->row_count++;
    }
    pthread_mutex_unlock(&p->lock);
    if (!room) {
        p->stats.dropped_rows++;
        proxy_row_free(p, row);
    }
}

proxy_row *proxy_take_request(proxy *p) {
    pthread_mutex_lock(&p->lock);
    proxy_row *row = p->rows;
    if (row) {
        p->rows = row->next;
        if (!p->rows)
            p->rows_last = NULL;
        p->row_count--;
        row->next = NULL;
    }
    pthread_mutex_unlock(&p->lock);
    return row;
}

void rows_hand_over_events(proxy *p) {
    pthread_mutex_lock(&p->lock);
    event_block *back = p->given_back;
    p->given_back = NULL;
    for (event_block *block; (block = columns_take(&p->columns));) {
        if (p->block_count == PROXY_MAX_BLOCKS) {
            p->stats.dropped_rows += block->rows;
            columns_recycle(&p->columns, block);
            continue;
        }
        if (p->blocks_last)
            p->blocks_last->next = block;
        else
            p->blocks = block;
        p->blocks_last = block;
        p->block_count++;
    }
    pthread_mutex_unlock(&p->lock);
    while (back) {
        event_block *next = back->next;
        columns_recycle(&p->columns, back);
        back = next;
    }
}

event_block *proxy_take_events(proxy *p) {
    pthread_mutex_lock(&p->lock);
    event_block *block = p->blocks;
    if (block) {
        p->blocks = block->next;
        if (!p->blocks)
            p->blocks_last = NULL;
        p->block_count--;
    }
    pthread_mutex_unlock(&p->lock);
    return block;
}

void proxy_give_events(proxy *p, event_block *block) {
    pthread_mutex_lock(&p->lock);
    block->next = p->given_back;
    p->given_back = block;
    pthread_mutex_unlock(&p->lock);
}
