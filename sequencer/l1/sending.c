#define _GNU_SOURCE
/* Bytes to everybody at once, and one verdict out of what they say. */
#include "sequencer/l1/parts.h"
#include "sequencer/l1/send_class.h"

#include <stdio.h>

struct send_ask {
    struct ask ask;
    l1_sent_cb cb;
    void *arg;
    struct hash tx;
    struct l1_sent sent;
};

static enum l1_send judge(const struct send_ask *x, struct endpoint *e, const struct answer *r)
{
    struct hash answered;
    if (r->error) {
        e->state.faults[WEB_FAULT_ERROR]++;
        return send_class(r->code, r->message);
    }
    if (!json_fixed(r->result, answered.b, sizeof answered.b) ||
        !hash_equal(&answered, &x->tx)) {
        endpoint_fault(e, WEB_FAULT_GARBAGE);
        return L1_SEND_NET;
    }
    return L1_SEND_ACCEPTED;
}

/* What stands in a log and on a terminal is printable, whatever it was. */
static void keep_text(struct l1_sent *s, const char *text)
{
    snprintf(s->text, sizeof s->text, "%s", text);
    for (size_t i = 0; s->text[i] != '\0'; i++) {
        if (s->text[i] < ' ' || s->text[i] > '~') {
            s->text[i] = '?';
        }
    }
}

static enum heard heard_send(struct ask *a, struct endpoint *e, struct answers *r)
{
    struct send_ask *x = (struct send_ask *)a;
    struct l1_sent *s = &x->sent;
    enum l1_send class = judge(x, e, &r->at[0]);
    bool first = a->heard_n == 0;
    s->said[class]++;
    if (first || send_better(class, s->verdict) != s->verdict) {
        s->verdict = class;
        keep_text(s, r->at[0].error ? r->at[0].message : "");
    }
    return class == L1_SEND_ACCEPTED || class == L1_SEND_PENDING ? HEARD_LAST : HEARD_MORE;
}

/* Somebody who gave no answer may have taken the bytes: that is more than a refusal for good. */
static void settle_send(struct ask *a)
{
    struct send_ask *x = (struct send_ask *)a;
    if (a->heard_n == 0 || (x->sent.verdict == L1_SEND_BUG && a->heard_n < a->c->o.rpc_n)) {
        x->sent.verdict = L1_SEND_NET;
    }
    a->err = OK;
}

static void tell_send(struct ask *a)
{
    struct send_ask *x = (struct send_ask *)a;
    if (a->err != OK) {
        x->sent = (struct l1_sent){.verdict = L1_SEND_NET};
    }
    x->cb(x->arg, &x->sent);
}

enum err sending_send(void *ctx, struct bytes raw, const struct hash *tx, l1_sent_cb cb, void *arg)
{
    struct send_ask *x = ask_make(ctx, sizeof *x, LIMIT_L1_SHORT_ANSWER);
    if (x == NULL) {
        return ERR_NO_MEMORY;
    }
    x->cb = cb;
    x->arg = arg;
    x->tx = *tx;
    x->ask.everybody = true;
    x->ask.heard = heard_send;
    x->ask.settle = settle_send;
    x->ask.tell = tell_send;
    request_call(&x->ask.request, "eth_sendRawTransaction");
    request_hex(&x->ask.request, raw.p, raw.n);
    return ask_start(&x->ask);
}
