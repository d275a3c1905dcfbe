#define _GNU_SOURCE
/* Reads for the node, beside the cycle of blocks. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "sequencer/engine/engine_parts.h"

_Static_assert(2 * (int)ENGINE_ACCOUNTS <= (int)REQUEST_CALLS, "a list of calls holds them all");

struct read {
    struct engine *e;
    void *arg;
    void (*on_hash)(void *arg, enum err e, const struct hash *h);
    void (*on_accounts)(void *arg, const struct engine_accounts *answer);
    void (*on_text)(void *arg, enum err e, bool is_error, struct bytes json);
    struct engine_accounts accounts; /* what is asked for */
};

static enum err begin(struct engine *e, void *arg, struct read **out)
{
    if (e->state != ENGINE_READY) {
        return ERR_NOT_READY;
    }
    if (e->reads == LIMIT_ENGINE_READS) {
        return ERR_BUSY;
    }
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        return ERR_NO_MEMORY;
    }
    (*out)->e = e;
    (*out)->arg = arg;
    return OK;
}

static enum err ask(struct read *r, struct request *q, const char *url, size_t max,
                    engine_answer_cb cb)
{
    struct engine *e = r->e;
    request_end(q);
    e->next_id += q->calls;
    enum err err = engine_ask_at(e, url, q, max, cb, r);
    if (err != OK) {
        free(r);
        return err;
    }
    e->reads++;
    return OK;
}

static void end(struct read *r)
{
    r->e->reads--;
    free(r);
}

/* ---- a block's hash ----------------------------------------------------------------------------- */

static void on_hash(void *arg, const struct engine_answer *a)
{
    struct read *r = arg;
    struct engine_head h = {.number = 0};
    enum err err = a->meaning != ENGINE_YES ? ERR_UNREACHABLE : OK;
    if (err == OK && a->result != NULL && !engine_get_head(a->result, &h)) {
        err = ERR_MALFORMED;
    }
    r->on_hash(r->arg, err, &h.hash);
    end(r);
}

enum err engine_read_hash(struct engine *e, uint64_t number,
                          void (*cb)(void *arg, enum err e, const struct hash *h), void *arg)
{
    struct read *r = NULL;
    struct request q;
    TRY(begin(e, arg, &r));
    r->on_hash = cb;
    request_begin(&q, e->next_id);
    request_call(&q, "eth_getBlockByNumber");
    request_quantity(&q, number);
    request_text(&q, "false");
    return ask(r, &q, e->url, LIMIT_ENGINE_SHORT_ANSWER, on_hash);
}

/* ---- accounts ----------------------------------------------------------------------------------- */

static bool take_account(const struct answers *all, uint32_t i, struct engine_account *out)
{
    const struct answer *nonce = &all->at[2 * (size_t)i];
    const struct answer *balance = nonce + 1;
    return !nonce->error && !balance->error && json_u64(nonce->result, &out->nonce) &&
           json_u256(balance->result, &out->balance);
}

static void on_accounts(void *arg, const struct engine_answer *a)
{
    struct read *r = arg;
    struct engine_accounts *to = &r->accounts;
    to->err = a->meaning == ENGINE_YES && a->all != NULL ? OK : ERR_UNREACHABLE;
    for (uint32_t i = 0; i < to->n && to->err == OK; i++) {
        to->err = take_account(a->all, i, &to->account[i]) ? OK : ERR_MALFORMED;
    }
    r->on_accounts(r->arg, to);
    end(r);
}

enum err engine_read_accounts(struct engine *e, uint64_t number, const struct address *a,
                              uint32_t n,
                              void (*cb)(void *arg, const struct engine_accounts *answer),
                              void *arg)
{
    struct read *r = NULL;
    struct request q;
    TRY(begin(e, arg, &r));
    r->on_accounts = cb;
    r->accounts.number = number;
    r->accounts.n = n;
    request_begin(&q, e->next_id);
    for (uint32_t i = 0; i < n; i++) {
        r->accounts.account[i].address = a[i];
        request_call(&q, "eth_getTransactionCount");
        request_hex(&q, a[i].b, sizeof a[i].b);
        request_quantity(&q, number);
        request_call(&q, "eth_getBalance");
        request_hex(&q, a[i].b, sizeof a[i].b);
        request_quantity(&q, number);
    }
    return ask(r, &q, e->rpc_url, LIMIT_ENGINE_SHORT_ANSWER, on_accounts);
}

/* ---- any method --------------------------------------------------------------------------------- */

static void on_text(void *arg, const struct engine_answer *a)
{
    struct read *r = arg;
    if (a->all == NULL) {
        r->on_text(r->arg, ERR_UNREACHABLE, false, bytes_of(NULL, 0));
        end(r);
        return;
    }
    bool is_error = a->all->at[0].error;
    struct json_object *o = is_error ? json_get(a->all->root, "error") : a->all->at[0].result;
    const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                                             JSON_C_TO_STRING_NOSLASHESCAPE);
    r->on_text(r->arg, OK, is_error, bytes_of((const uint8_t *)text, strlen(text)));
    end(r);
}

/* What stands between the brackets, as one parameter that is several. */
static char *inside(struct bytes params)
{
    return params.n < 2 ? NULL : strndup((const char *)params.p + 1, params.n - 2);
}

enum err engine_read(struct engine *e, const char *method, struct bytes params,
                     void (*cb)(void *arg, enum err e, bool is_error, struct bytes json),
                     void *arg)
{
    struct read *r = NULL;
    struct request q;
    TRY(begin(e, arg, &r));
    char *text = inside(params);
    if (text == NULL) {
        free(r);
        return ERR_NO_MEMORY;
    }
    r->on_text = cb;
    request_begin(&q, e->next_id);
    request_call(&q, method);
    if (text[strspn(text, " \t\r\n")] != '\0') {
        request_text(&q, text);
    }
    free(text);
    return ask(r, &q, e->rpc_url, LIMIT_WEB_ANSWER, on_text);
}

/* ---- the end ------------------------------------------------------------------------------------ */

void engine_reads_drop(struct engine *e)
{
    const struct engine_answer gone = {.meaning = ENGINE_GONE, .why = "closing"};
    for (struct engine_ask *x = e->asks, *next; x != NULL; x = next) {
        next = x->next;
        if (x->cb == on_hash || x->cb == on_accounts || x->cb == on_text) {
            x->cb(x->arg, &gone);
        }
    }
}
