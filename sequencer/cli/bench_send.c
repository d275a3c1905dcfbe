#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "proto/keccak.h"
#include "proto/tx.h"
#include "sequencer/cli/bench.h"

enum { DOWN_US = 500000, RETRY_US = 50000 };

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

/* The account's own node, or the next that is not known to be down. */
static uint32_t choose_node(const struct bench_account *a)
{
    const struct bench *b = a->bench;
    uint64_t now = now_us();
    uint32_t n = (uint32_t)b->o.urls;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t node = (a->home + k) % n;
        if (b->down_until_us[node] <= now) {
            return node;
        }
    }
    return (a->home + a->tx->attempts) % n;
}

static void free_account(struct bench_account *a)
{
    a->tx = NULL;
    a->nonce++;
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
    struct bench_account *a = tx->account;
    tx->confirmed_us = now_us();
    if (tx->accepted_us != 0) {
        b->unconfirmed--;
    }
    if (a->tx == tx && !a->in_flight) {
        for (struct bench_account **at = &b->waiting; *at != NULL; at = &(*at)->next) {
            if (*at == a) {
                *at = a->next;
                break;
            }
        }
        close_open(a);
    }
}

static void retry_later(struct bench_account *a, uint64_t delay_us)
{
    a->bench->retries++;
    a->retry_us = now_us() + delay_us;
    a->next = a->bench->waiting;
    a->bench->waiting = a;
}

static bool says(const char *text, const char *part)
{
    return strcasestr(text, part) != NULL;
}

/* Refusals that no repetition changes. (A node that catches up may not know our funds yet.) */
static bool is_final(const char *text)
{
    return says(text, "invalid") || says(text, "intrinsic") || says(text, "nonce too low") ||
           says(text, "not supported") || says(text, "underpriced");
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
    a->home = (a->home + 1) % (uint32_t)b->o.urls;
    retry_later(a, RETRY_US);
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
    a->tx->attempts++;
    a->in_flight = true;
    if (!bench_enqueue(a->tx, choose_node(a))) {
        a->in_flight = false;
        retry_later(a, RETRY_US);
    }
}

void bench_retry_due(struct bench *b)
{
    uint64_t now = now_us();
    struct bench_account *a = b->waiting;
    b->waiting = NULL;
    while (a != NULL) {
        struct bench_account *next = a->next;
        if (a->retry_us <= now) {
            attempt(a);
        } else {
            a->next = b->waiting;
            b->waiting = a;
        }
        a = next;
    }
}

bool bench_send(struct bench_account *a, const struct address *to, const struct u256 *value,
                bool load)
{
    struct bench *b = a->bench;
    struct bench_tx *tx = calloc(1, sizeof *tx);
    size_t n = 0;
    if (tx == NULL) {
        return false;
    }
    const struct tx_request r = {.chain_id = b->chain_id,
                                 .nonce = a->nonce,
                                 .max_priority_fee = b->tip,
                                 .max_fee = b->max_fee,
                                 .gas = BENCH_TRANSFER_GAS,
                                 .to = *to,
                                 .value = *value};
    if (tx_sign(tx->raw, sizeof tx->raw, &n, &r, &a->key) != OK) {
        free(tx);
        return false;
    }
    tx->raw_len = (uint16_t)n;
    tx->hash = keccak256(tx->raw, n);
    tx->account = a;
    tx->load = load;
    tx->submitted_us = now_us();
    HASH_ADD(hh, b->txs, hash, sizeof tx->hash, tx);
    a->tx = tx;
    b->open++;
    b->sent += load ? 1 : 0;
    attempt(a);
    return true;
}
