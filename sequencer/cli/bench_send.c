#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "sequencer/cli/bench.h"

enum { DOWN_US = 500000, FULL_US = 100000, RETRY_US = 50000 };

static uint64_t now_us(void)
{
    return uv_hrtime() / 1000;
}

void bench_idle_push(struct bench *b, struct bench_account *a)
{
    a->next = NULL;
    if (b->idle_tail != NULL) {
        b->idle_tail->next = a;
    } else {
        b->idle_head = a;
    }
    b->idle_tail = a;
}

struct bench_account *bench_idle_pop(struct bench *b)
{
    struct bench_account *a = b->idle_head;
    if (a != NULL) {
        b->idle_head = a->next;
        b->idle_tail = b->idle_head != NULL ? b->idle_tail : NULL;
    }
    return a;
}

static void remember(struct bench *b, const char *text)
{
    for (size_t i = 0; i < BENCH_SENTENCES; i++) {
        struct bench_sentence *s = &b->sentence[i];
        if (s->n == 0) {
            snprintf(s->text, sizeof s->text, "%.*s", (int)sizeof s->text - 1, text);
        }
        if (s->n == 0 || strncmp(s->text, text, sizeof s->text - 1) == 0) {
            s->n++;
            return;
        }
    }
}

static const uint32_t no_node = UINT32_MAX;

/* The account's own node, or the next that is known neither to be down nor to be full. Where all
 * are down one is tried; where all others are full, none. */
static uint32_t choose_node(const struct bench_account *a)
{
    const struct bench *b = a->bench;
    uint64_t now = now_us();
    uint32_t n = (uint32_t)b->o.urls;
    bool full = false;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t node = (a->home + k) % n;
        if (b->full_until_us[node] > now) {
            full = true;
        } else if (b->down_until_us[node] <= now) {
            return node;
        }
    }
    return full ? no_node : (a->home + a->tx->attempts) % n;
}

static void free_account(struct bench_account *a)
{
    a->tx = NULL;
    a->nonce += a->nonce_step;
    if (!a->in_flight) {
        bench_idle_push(a->bench, a);
    }
}

static void on_accepted(struct bench_tx *tx)
{
    struct bench *b = tx->account->bench;
    if (tx->accepted_us != 0) {
        return;
    }
    tx->accepted_us = now_us();
    if (tx->load) {
        b->accepted++;
    }
    if (tx->confirmed_us == 0) {
        b->unconfirmed++;
    }
}

static void close_open(struct bench_account *a)
{
    a->bench->open--;
    free_account(a);
}

void bench_settle(struct bench *b, struct bench_tx *tx)
{
    tx->confirmed_us = now_us(); /* its account, if it waits for a retry, is free after that */
    if (tx->accepted_us != 0) {
        b->unconfirmed--;
    }
}

/* Into the ring, at least one slot and less than a round ahead of what is taken out of it. */
static void retry_later(struct bench_account *a, uint64_t delay_us)
{
    struct bench *b = a->bench;
    uint64_t slots = delay_us / BENCH_RETRY_SLOT_US + 1;
    uint64_t now = now_us() / BENCH_RETRY_SLOT_US;
    uint64_t at = now + (slots < BENCH_RETRY_SLOTS - 1 ? slots : BENCH_RETRY_SLOTS - 2);
    b->retries++;
    a->next = b->waiting[at % BENCH_RETRY_SLOTS];
    b->waiting[at % BENCH_RETRY_SLOTS] = a;
}

/* Doubles, and differs from account to account: who is told that a node is full does not help it
 * by asking at once, together with all the others. When nothing new comes any more, less: the last
 * ones must not wait while the nodes have nothing to do. */
static uint64_t backoff_us(const struct bench_account *a)
{
    uint32_t times = a->tx->attempts + a->tx->held;
    uint32_t most_doublings = a->bench->phase == BENCH_DRAIN ? 2 : 5;
    uint32_t doublings = times > most_doublings ? most_doublings : times - 1;
    uint64_t most = (uint64_t)RETRY_US << doublings;
    uint64_t spread = (uint64_t)load_be32(a->tx->hash.b) * most >> 33;
    return most / 2 + spread;
}

static bool says(const char *text, const char *part)
{
    return strcasestr(text, part) != NULL;
}

/* Refusals that no repetition changes. (A node that catches up may not know our funds yet; a full
 * pool says "transaction underpriced" to what it may take later.) */
static bool is_final(const char *text)
{
    return says(text, "invalid") || says(text, "intrinsic") || says(text, "nonce too low") ||
           says(text, "not supported") || says(text, "replacement") || says(text, "tip needed");
}

static void on_refused(struct bench_account *a, const char *why)
{
    struct bench_tx *tx = a->tx;
    struct bench *b = a->bench;
    if (says(why, "already known") || (says(why, "nonce too low") && tx->attempts > 1)) {
        on_accepted(tx);
        close_open(a);
        return;
    }
    remember(b, why);
    if (is_final(why)) {
        b->refused++;
        b->open--;
        a->broken = true;
        a->tx = NULL;
        return;
    }
    if (says(why, "is full")) {
        b->full_until_us[tx->node] = now_us() + FULL_US;
    }
    a->home = (a->home + 1) % (uint32_t)b->o.urls;
    retry_later(a, backoff_us(a));
}

void bench_answered(struct bench_tx *tx, enum bench_answer answer, const char *why)
{
    struct bench_account *a = tx->account;
    a->in_flight = false;
    if (tx->confirmed_us != 0) { /* it stands in a block already */
        if (answer == BENCH_ACCEPTED) {
            on_accepted(tx);
        }
        close_open(a);
    } else if (answer == BENCH_NO_ANSWER) {
        retry_later(a, 0);
    } else if (answer == BENCH_ACCEPTED) {
        on_accepted(tx);
        close_open(a);
    } else {
        on_refused(a, why);
    }
}

void bench_node_failed(struct bench *b, uint32_t node)
{
    b->down_until_us[node] = now_us() + DOWN_US;
}

static void attempt(struct bench_account *a)
{
    uint32_t node = choose_node(a);
    if (node == no_node) {
        a->tx->held++;
        retry_later(a, backoff_us(a));
        return;
    }
    a->tx->attempts++;
    a->tx->node = node;
    a->in_flight = true;
    if (!bench_enqueue(a->tx, node)) {
        a->in_flight = false;
        retry_later(a, RETRY_US);
    }
}

static void retry(struct bench_account *a)
{
    if (a->tx->confirmed_us != 0) {
        close_open(a); /* an earlier copy stands in a block */
    } else {
        attempt(a);
    }
}

void bench_retry_due(struct bench *b)
{
    uint64_t now = now_us() / BENCH_RETRY_SLOT_US;
    uint64_t oldest = now - BENCH_RETRY_SLOTS + 1;
    for (b->retry_at = b->retry_at > oldest ? b->retry_at : oldest; b->retry_at <= now;
         b->retry_at++) {
        struct bench_account *a = b->waiting[b->retry_at % BENCH_RETRY_SLOTS];
        b->waiting[b->retry_at % BENCH_RETRY_SLOTS] = NULL;
        while (a != NULL) {
            struct bench_account *next = a->next;
            retry(a);
            a = next;
        }
    }
}

void bench_send(struct bench_account *a, struct bench_tx *tx, bool load)
{
    struct bench *b = a->bench;
    tx->load = load;
    tx->submitted_us = now_us();
    HASH_ADD(hh, b->txs, hash, sizeof tx->hash, tx);
    a->tx = tx;
    b->open++;
    b->sent += load ? 1 : 0;
    attempt(a);
}
