#define _GNU_SOURCE
#include "sequencer/l1/parts.h"

#include <stdlib.h>

enum { NOT_FOUND = 404 };

void *ask_make(struct l1_client *c, size_t size, size_t max)
{
    struct ask *a = calloc(1, size);
    if (a == NULL) {
        return NULL;
    }
    a->c = c;
    a->max = max;
    a->failing = ERR_UNREACHABLE;
    request_begin(&a->request, client_ids(c));
    return a;
}

void ask_drop(struct ask *a)
{
    if (a->drop != NULL) {
        a->drop(a);
    }
    request_free(&a->request);
    free(a->path);
    free(a);
}

static void link_ask(struct ask *a)
{
    struct l1_client *c = a->c;
    a->next = c->asks;
    if (c->asks != NULL) {
        c->asks->prev = a;
    }
    c->asks = a;
    c->asking++;
}

static void retire(struct ask *a)
{
    struct l1_client *c = a->c;
    if (a->prev != NULL) {
        a->prev->next = a->next;
    } else {
        c->asks = a->next;
    }
    if (a->next != NULL) {
        a->next->prev = a->prev;
    }
    c->asking--;
    ask_drop(a);
}

/* Tells the caller; the ask lives on until its last endpoint has answered. */
static void conclude(struct ask *a, enum err e)
{
    a->over = true;
    a->err = e;
    a->told = true;
    a->tell(a);
}

static void settle(struct ask *a)
{
    a->err = a->everybody && a->heard_n > 0 ? ERR_NOT_READY : a->failing;
    if (a->settle != NULL) {
        a->settle(a);
    }
    conclude(a, a->err);
}

static struct endpoint *group(struct ask *a, size_t *n)
{
    *n = a->path != NULL ? a->c->o.beacon_n : a->c->o.rpc_n;
    return a->path != NULL ? a->c->beacon : a->c->rpc;
}

static void on_answer(void *arg, const struct http_reply *r);

static void ask_endpoint(struct ask *a, struct endpoint *e)
{
    struct leg *leg = &a->leg[e->index];
    struct bytes body = a->path != NULL ? (struct bytes){NULL, 0} : request_body(&a->request);
    leg->ask = a;
    leg->endpoint = e;
    leg->state = LEG_ASKED;
    a->sent_ms = client_now(a->c);
    if (endpoint_send(e, a->path, body, a->max, on_answer, leg) == OK) {
        a->waiting++;
    }
}

/* The best that was not asked yet. False: there is none. */
static bool ask_next(struct ask *a, bool even_dead)
{
    size_t n;
    struct endpoint *all = group(a, &n);
    struct endpoint *best = NULL;
    for (size_t i = 0; i < n; i++) {
        uint64_t rank = endpoint_rank(&all[i]);
        if (a->leg[i].state == LEG_UNASKED && (even_dead || rank != UINT64_MAX) &&
            (best == NULL || rank < endpoint_rank(best))) {
            best = &all[i];
        }
    }
    if (best != NULL) {
        ask_endpoint(a, best);
    }
    return best != NULL;
}

/* Where all are dead they are asked all the same: one may be back. */
static void launch(struct ask *a)
{
    bool any = ask_next(a, false);
    bool even_dead = !any && ask_next(a, true);
    while (a->everybody && (any || even_dead) && ask_next(a, even_dead)) {
    }
}

/* A beacon endpoint's way to say that it has nothing there (any more). */
static bool is_absent(const struct ask *a, const struct http_reply *r)
{
    return a->path != NULL && r->status == NOT_FOUND;
}

static enum heard hear(struct ask *a, struct endpoint *e, const struct http_reply *r)
{
    struct answers answers = {0};
    enum heard heard = HEARD_USELESS;
    enum web_fault f = r->fault;
    if (is_absent(a, r)) {
        a->absent++;
        return HEARD_USELESS;
    }
    if (f == WEB_FAULT_NONE && a->path == NULL) {
        f = answers_read(&answers, &a->request, r->body);
    } else if (f == WEB_FAULT_NONE) {
        answers.root = json_read(r->body);
        answers.at[0].result = answers.root;
        f = answers.root == NULL ? WEB_FAULT_GARBAGE : WEB_FAULT_NONE;
    }
    if (f == WEB_FAULT_NONE) {
        heard = a->heard(a, e, &answers);
    } else {
        endpoint_fault(e, f);
    }
    answers_release(&answers);
    return heard;
}

static void go_on(struct ask *a, enum heard heard)
{
    struct l1_client *c = a->c;
    if (heard == HEARD_LAST) {
        conclude(a, OK);
        return;
    }
    a->heard_n += heard == HEARD_MORE;
    if (!a->everybody) {
        (void)ask_next(a, false);
    } else if (a->heard_n >= c->quorum.needed && a->grace_end_ms == 0) {
        a->grace_end_ms = client_now(c) + c->o.grace_ms;
    }
    if (a->waiting == 0) {
        settle(a);
    }
}

static void on_answer(void *arg, const struct http_reply *r)
{
    struct leg *leg = arg;
    struct ask *a = leg->ask;
    leg->state = LEG_DONE;
    a->waiting--;
    endpoint_took(leg->endpoint, r->took_ms);
    if (leg->endpoint->state.beacon && r->fault == WEB_FAULT_NONE) {
        endpoint_well(leg->endpoint); /* nobody polls it */
    }
    if (!a->over) {
        go_on(a, hear(a, leg->endpoint, r));
    } else if (r->fault != WEB_FAULT_NONE && !is_absent(a, r)) {
        endpoint_fault(leg->endpoint, r->fault);
    }
    if (a->over && a->told && a->waiting == 0) {
        retire(a);
    }
}

static void on_soon(uv_timer_t *timer)
{
    ask_tell_known(timer->data);
}

static void tell_soon(struct ask *a, enum err e)
{
    a->over = true;
    a->err = e;
    uv_timer_start(&a->c->soon, on_soon, 0, 0);
}

void ask_tell_known(struct l1_client *c)
{
    for (struct ask *a = c->asks, *next; a != NULL; a = next) {
        next = a->next;
        if (a->over && !a->told) {
            conclude(a, a->err); /* what its callback asks stands in front */
            retire(a);
        }
    }
}

static enum err admit(struct ask *a)
{
    if (a->c->asking >= LIMIT_L1_CALLS) {
        ask_drop(a);
        return ERR_BUSY;
    }
    link_ask(a);
    return OK;
}

enum err ask_start(struct ask *a)
{
    request_end(&a->request);
    if (a->path == NULL && request_body(&a->request).n == 0) {
        ask_drop(a);
        return ERR_NO_MEMORY;
    }
    TRY(admit(a));
    launch(a);
    if (a->waiting == 0) {
        tell_soon(a, ERR_UNREACHABLE);
    }
    return OK;
}

enum err ask_known(struct ask *a, enum err e)
{
    TRY(admit(a));
    tell_soon(a, e);
    return OK;
}

void ask_tick(struct ask *a)
{
    uint64_t now = client_now(a->c);
    if (a->over) {
        return;
    }
    if (a->everybody && a->grace_end_ms != 0 && now >= a->grace_end_ms) {
        settle(a);
    } else if (!a->everybody && now - a->sent_ms >= a->c->o.hedge_ms) {
        (void)ask_next(a, false);
    }
}

bool ask_vote(struct ask *a, struct endpoint *e, const void *p, size_t n)
{
    struct leg *mine = &a->leg[e->index];
    uint32_t count = 0;
    mine->voted = true;
    memcpy(mine->vote, p, n);
    for (size_t i = 0; i < a->c->o.rpc_n; i++) {
        count += a->leg[i].voted && memcmp(a->leg[i].vote, mine->vote, VOTE_BYTES) == 0;
    }
    return count >= a->c->quorum.needed;
}
