/* JSON-RPC as the tools speak it. */
#ifndef SEQUENCER_CLI_RPC_CLIENT_H
#define SEQUENCER_CLI_RPC_CLIENT_H

#include "sequencer/cli/doc.h"
#include "sequencer/cli/http_client.h"

struct rpc_target {
    const char *url;
    const char *bearer; /* NULL: none */
    uint32_t timeout_ms;
};

/* One blocking call. `params` (may be NULL: []) is borrowed; `*result` is owned by the caller and
 * may be NULL for null. ERR_UNREACHABLE; ERR_MALFORMED: no JSON-RPC there; ERR_REFUSED: an error
 * answer, its message in `why`. */
enum err rpc_client_call(struct json_object **result, const struct rpc_target *t,
                         const char *method, struct json_object *params, char *why,
                         size_t why_len) MUST_USE;

/* The text of a request; the caller frees it. NULL: out of memory. */
char *rpc_client_request(const char *method, struct json_object *params, size_t *n);
/* Takes an answer apart, errors as rpc_client_call. */
enum err rpc_client_answer(struct json_object **result, struct bytes text, char *why,
                           size_t why_len) MUST_USE;

/* The same for one answer of a parsed batch; `*result` is borrowed from it. */
enum err rpc_client_read(struct json_object **result, struct json_object *answer, char *why,
                         size_t why_len) MUST_USE;

#endif
