/* The admin_ namespace: admin port and token only; dispatch has checked both. */
#define _GNU_SOURCE
#include "sequencer/rpc/call.h"
#include "sequencer/rpc/params.h"

enum { DRAIN_DEFAULT_S = 30, DRAIN_MOST_S = 3600 };

static void ask(struct call *c, enum rpc_admin_call what, struct rpc_query *q)
{
    q->params = c->params;
    if (q->text == NULL) {
        q->text = "";
    }
    call_backend(c)->admin(call_ctx(c), what, q, call_answer, c);
}

static void ask_plain(struct call *c, enum rpc_admin_call what)
{
    struct rpc_query q = {0};
    ask(c, what, &q);
}

void admin_drain(struct call *c)
{
    struct rpc_query q = {0};
    if (!params_u64_or(c, 0, DRAIN_DEFAULT_S, &q.count)) {
        return;
    }
    if (q.count > DRAIN_MOST_S) {
        call_error(c, CODE_PARAMS, "invalid argument 0: at most %d seconds", DRAIN_MOST_S);
        return;
    }
    ask(c, RPC_ADMIN_DRAIN, &q);
}

void admin_hand_over(struct call *c)
{
    ask_plain(c, RPC_ADMIN_HAND_OVER);
}

void admin_join(struct call *c)
{
    ask_plain(c, RPC_ADMIN_JOIN);
}

void admin_leave(struct call *c)
{
    ask_plain(c, RPC_ADMIN_LEAVE);
}

void admin_peers(struct call *c)
{
    ask_plain(c, RPC_ADMIN_PEERS);
}

void admin_set_log_level(struct call *c)
{
    static const char *const level[] = {"error", "warn", "info", "debug"};
    struct rpc_query q = {0};
    if (!params_text(c, 0, &q.text)) {
        return;
    }
    for (size_t i = 0; i < sizeof level / sizeof *level; i++) {
        if (strcmp(q.text, level[i]) == 0) {
            ask(c, RPC_ADMIN_SET_LOG_LEVEL, &q);
            return;
        }
    }
    call_error(c, CODE_PARAMS, "invalid argument 0: one of error, warn, info, debug");
}

void admin_chaos(struct call *c)
{
    struct rpc_query q = {0};
    if (params_text(c, 0, &q.text)) {
        ask(c, RPC_ADMIN_CHAOS, &q);
    }
}
