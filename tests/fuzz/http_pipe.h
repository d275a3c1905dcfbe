/* A client connection of the RPC server without a socket: what connection.c does for http.c, ws.c
 * and the messages, over memory. The chain behind it is that of the unit tests. */
#ifndef TESTS_FUZZ_HTTP_PIPE_H
#define TESTS_FUZZ_HTTP_PIPE_H

#include "sequencer/rpc/text.h"
#include "tests/fuzz/fuzz.h"

/* The connection is on the admin port; the node is not ready, and knows no safe block; it has an
 * execution client; whoever asks reads one answer and no more; or is gone once all is sent; the node
 * catches up. */
enum { PIPE_ADMIN = 1, PIPE_NOT_READY = 4, PIPE_CLIENT = 8, PIPE_SLOW = 16, PIPE_GONE = 32,
       PIPE_BEHIND = 64 };

/* Feeds `before` and `in` in pieces of `piece` bytes to a fresh connection until it closes, answers
 * everything and gives what the client would have read; text_free it. `how`: of the above. */
struct text http_pipe(struct bytes before, struct bytes in, size_t piece, unsigned how);

/* The same in three steps. One connection at a time. */
struct connection *http_pipe_open(unsigned how);
void http_pipe_feed(struct connection *c, struct bytes in, size_t piece);
struct text http_pipe_close(struct connection *c);

#endif
