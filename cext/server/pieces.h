/* pieces.h: an answer as a sequence of pieces: which is next, when it may be sent, and its bytes.
 *
 * A cursor points at a piece. Pieces are composed with a copy of the cursor; the answer's own cursor moves when the kernel has taken
 * them. */
#ifndef TT_SERVER_PIECES_H
#define TT_SERVER_PIECES_H

#include "server/server_internal.h"

/* A piece of a write: the cursor after it, and what is recorded of it. */
typedef struct {
    answer_cursor after;
    uint32_t end;             /* offset in the write */
    int32_t tokens;
    uint32_t bytes;
    int8_t kind;              /* event_kind or NO_EVENT */
    uint8_t event;            /* wire_event */
    bool head;
} piece;

/* Returns true when a fault ends an answer before its end. */
bool pieces_break(server_fault fault);
/* Returns the sum of the itl draws of tokens first .. first+count-1; token 0 has none. */
int64_t pieces_gaps_ns(const server_config *config, uint64_t key, int32_t first, int32_t count);
/* Returns when the piece at the cursor may be sent, in ns; 0: at once. */
int64_t pieces_due_ns(const server_answer *answer, const server_config *config);
/* Returns when the next keepalive is due if nothing is sent before, or NEVER. */
int64_t pieces_ping_due_ns(const server_answer *answer, const server_config *config);
/* Writes the response's head, after 100 Continue if config->interim. Returns the bytes written. */
size_t pieces_write_head(const server_answer *answer, const server_config *config, bool http_1_0, char *out);
/* Writes the piece at *at and moves *at past it. Not for STAGE_FULL, nor for a STAGE_FAULT without an event. Returns the bytes
 * written. */
size_t pieces_next(const server_answer *answer, const server_config *config, bool http_1_0, answer_cursor *at, char *out,
                   piece *made);
/* Returns true when a write ends after this piece although more is due. */
bool pieces_end_write(const server_config *config, uint8_t stage_before, const piece *made);
/* Returns the length of a stream's whole body; composes it in scratch. A fault that cuts the body does not change its length. */
int64_t pieces_body_length(const server_answer *answer, const server_config *config, char *scratch);

#endif
