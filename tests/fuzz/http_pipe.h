/* A client connection of the RPC server without a socket: what connection.c does for http.c, ws.c
 * and the messages, over memory. The chain behind it is that of the unit tests. */
#ifndef TESTS_FUZZ_HTTP_PIPE_H
#define TESTS_FUZZ_HTTP_PIPE_H

#include "sequencer/rpc/text.h"
#include "tests/fuzz/fuzz.h"

/* Feeds `before` and `in` in pieces of `piece` bytes to a fresh connection until it closes, answers
 * everything and gives what the client would have read; text_free it. `admin`: on that port. */
struct text http_pipe(struct bytes before, struct bytes in, size_t piece, bool admin);

#endif
