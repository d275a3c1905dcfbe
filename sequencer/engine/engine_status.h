/* What an answer of the Engine API means for consensus. The one rule behind the table: a block is
 * INVALID only when a client that is well executed it and says so; whatever else happens is no
 * verdict. A wrong INVALID costs a slot of an honest leader, and from a quorum of clients of one
 * kind it costs every slot; no verdict costs this member's vote until it is asked again. */
#ifndef SEQUENCER_ENGINE_ENGINE_STATUS_H
#define SEQUENCER_ENGINE_ENGINE_STATUS_H

#include "sequencer/execution/execution.h"
#include "sequencer/web/http.h"
#include "sequencer/web/request.h"

/* X(NAME, verdict on a block, the session with the client is over, sentence) */
#define ENGINE_MEANINGS(X)                                                                     \
    X(YES, EXECUTION_VALID, false, "the client says VALID")                                    \
    X(NO, EXECUTION_INVALID, false, "the client says INVALID")                                 \
    X(BEHIND, EXECUTION_ERROR, true, "the client does not have the blocks before this one")    \
    X(AGAIN, EXECUTION_ERROR, false, "the client failed at it")                                \
    X(GONE, EXECUTION_ERROR, true, "the client does not answer")                               \
    X(DENIED, EXECUTION_ERROR, true, "the client refuses the token: secret or clock")          \
    X(MISFIT, EXECUTION_ERROR, false, "the client does not know this call or its parameters")  \
    X(NONSENSE, EXECUTION_ERROR, false, "the client's answer is none")

enum engine_meaning {
#define X(name, verdict, over, text) ENGINE_##name,
    ENGINE_MEANINGS(X)
#undef X
    ENGINE_MEANINGS_N
};

enum execution_status engine_verdict(enum engine_meaning m);
/* The client may not be what it was: greeted anew, its head read again, before more is asked. */
bool engine_session_over(enum engine_meaning m);
const char *engine_meaning_text(enum engine_meaning m);

/* Of the transport: YES when there is an answer to be read. */
enum engine_meaning engine_of_reply(const struct http_reply *r);
/* Of an answer's error object. */
enum engine_meaning engine_of_error(int64_t code);
/* Of a PayloadStatusV1 about `payload`. `why` (never NULL after the call) is lent by the answer. */
enum engine_meaning engine_of_status(struct json_object *status, const struct hash *payload,
                                     const char **why);
/* Does a client's text say that it failed itself? Stock geth answers INVALID also when its own
 * database does not give it the state. */
bool engine_own_failure(const char *text);

#endif
