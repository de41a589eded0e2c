/* pieces.h: an answer as pieces: which comes next, when it may leave, and its bytes. Included by server_*.c alone.
 *
 * A cursor stands at a piece. Pieces are composed without any of it being moved, and the cursor follows what the kernel took. */
#ifndef TT_SERVER_PIECES_H
#define TT_SERVER_PIECES_H

#include "server/server_internal.h"

/* A piece of a write: where the cursor stands after it, and what the tape says of it. */
typedef struct {
    answer_cursor after;
    uint32_t end;             /* offset in the write */
    int32_t tokens;
    uint32_t bytes;
    int8_t kind;              /* event_kind or NO_EVENT */
    uint8_t event;            /* wire_event */
    bool head;
} piece;

/* Whether a fault ends an answer in its midst. */
bool pieces_break(server_fault fault);
/* The itl draws of tokens first .. first+count-1; token 0 has none. */
int64_t pieces_gaps_ns(const server_config *config, uint64_t key, int32_t first, int32_t count);
/* When the piece at the cursor may leave, in ns; 0: at once. */
int64_t pieces_due_ns(const server_answer *answer, const server_config *config);
/* When a silence will have been so long that it makes a keepalive, or NEVER. */
int64_t pieces_ping_due_ns(const server_answer *answer, const server_config *config);
/* The response's head, with 100 Continue before it where that is asked for. */
size_t pieces_write_head(const server_answer *answer, const server_config *config, bool http_1_0, char *out);
/* Writes the piece at *at (not STAGE_FULL, nor a STAGE_FAULT that is no event) and moves *at behind it. */
size_t pieces_next(const server_answer *answer, const server_config *config, bool http_1_0, answer_cursor *at, char *out,
                   piece *made);
/* Whether a write ends after this piece although more is due. */
bool pieces_end_write(const server_config *config, uint8_t stage_before, const piece *made);
/* The bytes of a stream's body, composed in scratch. Cuts come later and are not in it. */
int64_t pieces_body_length(const server_answer *answer, const server_config *config, char *scratch);

#endif
