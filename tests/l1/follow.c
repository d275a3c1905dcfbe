/* A reader of the chain, as derivation is one: a list of blocks, each the parent of the next, that
 * goes back where the L1 does and reads every block once it stands on it. */
#define _GNU_SOURCE
#include "drive.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void ask(struct drive *d);

static void on_block(void *arg, enum err e, const struct l1_block *b)
{
    struct drive *d = arg;
    if (e == OK) {
        d->blocks_read++;
        d->txs_read += (uint32_t)b->n;
    }
}

static void go_back(struct drive *d, const struct l1_path *p)
{
    if (p->kept > d->kept_least) {
        d->kept_least = p->kept;
    }
    d->chain_n -= p->kept < d->chain_n ? p->kept : d->chain_n - 1;
}

static void on_path(void *arg, enum err e, const struct l1_path *p)
{
    struct drive *d = arg;
    d->following = false;
    if (e == OK) {
        go_back(d, p);
        for (size_t i = 0; i < p->n && d->chain_n < CHAIN; i++) {
            d->chain[d->chain_n++] = p->header[i].at;
            (void)!d->l1.ops->block(d->l1.ctx, &p->header[i].at, d->watch, WATCH, on_block, d);
        }
    }
    if ((e == OK && (p->n == LIMIT_L1_PATH || p->kept > 0)) || d->again) {
        ask(d);
    }
}

static void ask(struct drive *d)
{
    struct l1_ref known[LIMIT_L1_REORG];
    size_t n = 0;
    for (; n < LIMIT_L1_REORG && n < d->chain_n; n++) {
        known[n] = d->chain[d->chain_n - 1 - n];
    }
    d->again = false;
    d->following = d->l1.ops->path(d->l1.ctx, known, n, on_path, d) == OK;
}

void follow_head(struct drive *d, const struct l1_view *v)
{
    if (d->chain_n == 0 && v->known) {
        d->chain[d->chain_n++] = v->head.at;
    }
    d->again = d->following;
    if (!d->following && d->chain_n > 0) {
        ask(d);
    }
}

void follow_print(struct drive *d, const char *id)
{
    printf("{\"id\":\"%s\",\"err\":\"OK\",\"back\":%" PRIu64 ",\"blocks\":%" PRIu32
           ",\"txs\":%" PRIu32 ",\"chain\":[",
           id, d->kept_least, d->blocks_read, d->txs_read);
    for (size_t i = 0; i < d->chain_n; i++) {
        char hash[HEX_SIZE(32)];
        hex_encode(hash, d->chain[i].hash.b, 32);
        printf("%s[%" PRIu64 ",\"%s\"]", i == 0 ? "" : ",", d->chain[i].number, hash);
    }
    printf("]}\n");
    fflush(stdout);
}
