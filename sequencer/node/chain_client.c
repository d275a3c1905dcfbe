#define _GNU_SOURCE
/* Tags are numbers when they come here, so nothing that is not final is ever read. */
#include "sequencer/node/chain_client.h"

#include <stdlib.h>

/* ---- methods --------------------------------------------------------------------------------- */

struct forwarding {
    rpc_forward_cb cb;
    void *arg;
};

static void on_text(void *arg, enum err e, bool is_error, struct bytes json)
{
    struct forwarding *f = arg;
    const struct rpc_forwarded answer = {.err = e, .is_error = is_error, .json = json};
    f->cb(f->arg, &answer);
    free(f);
}

void chain_forward(void *ctx, const char *method, struct bytes params, rpc_forward_cb cb, void *arg)
{
    struct node *n = ctx;
    struct forwarding *f = calloc(1, sizeof *f);
    enum err err = f == NULL ? ERR_NO_MEMORY : view_ready(n) ? OK : ERR_NOT_READY;
    err = err == OK && !link_is_level(n) ? ERR_NOT_READY : err;
    if (err == OK) {
        *f = (struct forwarding){cb, arg};
        err = engine_read(n->link.engine, method, params, on_text, f);
    }
    if (err != OK) {
        const struct rpc_forwarded answer = {.err = err};
        free(f);
        cb(arg, &answer);
    }
}

/* ---- accounts -------------------------------------------------------------------------------- */

struct reading {
    rpc_account_cb cb;
    void *arg;
};

static void on_account(void *arg, const struct engine_accounts *a)
{
    struct reading *r = arg;
    struct rpc_account answer = {.err = a->err};
    if (a->err == OK) {
        answer.nonce = a->account[0].nonce;
        answer.balance = a->account[0].balance;
    }
    r->cb(r->arg, &answer);
    free(r);
}

void chain_client_account(struct node *n, uint64_t number, const struct address *a,
                          rpc_account_cb cb, void *arg)
{
    struct reading *r = calloc(1, sizeof *r);
    enum err err = r == NULL ? ERR_NO_MEMORY : link_is_level(n) ? OK : ERR_NOT_READY;
    if (err == OK) {
        *r = (struct reading){cb, arg};
        err = engine_read_accounts(n->link.engine, number, a, 1, on_account, r);
    }
    if (err != OK) {
        const struct rpc_account answer = {.err = err};
        free(r);
        cb(arg, &answer);
    }
}
