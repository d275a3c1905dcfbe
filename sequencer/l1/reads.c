#define _GNU_SOURCE
/* What proves itself: one endpoint's block or blobs, checked; the next endpoint's if it is wrong. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sequencer/l1/block.h"
#include "sequencer/l1/parts.h"

/* ---- blocks ---------------------------------------------------------------------------------- */

struct block_ask {
    struct ask ask;
    l1_block_cb cb;
    void *arg;
    struct l1_ref at;
    struct block_watch watch;
    struct block_read read;
};

static enum heard heard_block(struct ask *a, struct endpoint *e, struct answers *r)
{
    struct block_ask *x = (struct block_ask *)a;
    if (r->at[0].error) {
        endpoint_fault(e, WEB_FAULT_ERROR);
        return HEARD_USELESS;
    }
    if (r->at[0].result == NULL) {
        a->absent++;
        return HEARD_USELESS;
    }
    enum err err = block_read(&x->read, r->at[0].result, r->text_n, &x->watch);
    if (err == OK && hash_equal(&x->read.block.header.at.hash, &x->at.hash)) {
        return HEARD_LAST;
    }
    block_release(&x->read);
    if (err != ERR_NO_MEMORY) {
        endpoint_fault(e, err == ERR_MALFORMED ? WEB_FAULT_GARBAGE : WEB_FAULT_CONTRADICTS);
        a->failing = ERR_INVALID_BLOCK;
    }
    return HEARD_USELESS;
}

/* A quorum has no such block: then it is gone. */
static void settle_block(struct ask *a)
{
    a->err = a->absent >= a->c->quorum.needed ? ERR_NOT_FOUND : a->failing;
}

static void tell_block(struct ask *a)
{
    struct block_ask *x = (struct block_ask *)a;
    x->cb(x->arg, a->err, a->err == OK ? &x->read.block : NULL);
    block_release(&x->read);
}

static void drop_block(struct ask *a)
{
    block_release(&((struct block_ask *)a)->read);
}

enum err reads_block(void *ctx, const struct l1_ref *at, const struct address *to, size_t to_n,
                     l1_block_cb cb, void *arg)
{
    if (to_n > L1_WATCHED) {
        return ERR_USAGE;
    }
    struct block_ask *x = ask_make(ctx, sizeof *x, LIMIT_WEB_ANSWER);
    if (x == NULL) {
        return ERR_NO_MEMORY;
    }
    x->cb = cb;
    x->arg = arg;
    x->at = *at;
    x->watch.n = to_n;
    memcpy(x->watch.to, to, to_n * sizeof *to);
    x->ask.heard = heard_block;
    x->ask.settle = settle_block;
    x->ask.tell = tell_block;
    x->ask.drop = drop_block;
    request_call(&x->ask.request, "eth_getBlockByHash");
    request_hex(&x->ask.request, at->hash.b, sizeof at->hash.b);
    request_text(&x->ask.request, "true");
    return ask_start(&x->ask);
}

/* ---- blobs ----------------------------------------------------------------------------------- */

struct blobs_ask {
    struct ask ask;
    l1_blobs_cb cb;
    void *arg;
    size_t n;
    struct hash versioned[LIMIT_L1_BLOBS];
    uint8_t *blob[LIMIT_L1_BLOBS];
};

static void free_blobs(struct blobs_ask *x)
{
    for (size_t i = 0; i < LIMIT_L1_BLOBS; i++) {
        free(x->blob[i]);
        x->blob[i] = NULL;
    }
}

static uint8_t *read_blob(struct json_object *o)
{
    uint8_t *blob = malloc(L1_BLOB_BYTES);
    if (blob != NULL && !json_fixed(o, blob, L1_BLOB_BYTES)) {
        free(blob);
        return NULL;
    }
    return blob;
}

/* The place that this blob fills, by its hash; n: none. */
static size_t place_of(const struct blobs_ask *x, const uint8_t *blob)
{
    const struct l1_options *o = &x->ask.c->o;
    for (size_t i = 0; i < x->n; i++) {
        if (x->blob[i] == NULL && o->blob_check(o->arg, blob, &x->versioned[i])) {
            return i;
        }
    }
    return x->n;
}

/* False: no blob. Those that were not asked for are passed over. */
static bool take_blob(struct blobs_ask *x, size_t k, struct json_object *o)
{
    uint8_t *blob = read_blob(o);
    if (blob == NULL) {
        return false;
    }
    size_t i = x->ask.c->o.blob_check == NULL ? k : place_of(x, blob);
    if (i >= x->n) {
        free(blob);
        return true;
    }
    x->blob[i] = blob;
    return true;
}

static bool have_all(const struct blobs_ask *x)
{
    size_t have = 0;
    for (size_t i = 0; i < x->n; i++) {
        have += x->blob[i] != NULL;
    }
    return have == x->n;
}

/* Without a check only order says which is which: then there must be as many as were asked for. */
static bool take_blobs(struct blobs_ask *x, struct json_object *list)
{
    size_t n = json_list(list);
    if (n < x->n || n > 2 * LIMIT_L1_BLOBS || (x->ask.c->o.blob_check == NULL && n != x->n)) {
        return false;
    }
    for (size_t k = 0; k < n; k++) {
        if (!take_blob(x, k, json_at(list, k))) {
            return false;
        }
    }
    return have_all(x);
}

static enum heard heard_blobs(struct ask *a, struct endpoint *e, struct answers *r)
{
    struct blobs_ask *x = (struct blobs_ask *)a;
    struct json_object *list = json_get(r->root, "data");
    if (take_blobs(x, list)) {
        return HEARD_LAST;
    }
    free_blobs(x);
    if (json_object_is_type(list, json_type_array) && json_list(list) == 0) {
        a->absent++;
        return HEARD_USELESS;
    }
    endpoint_fault(e, WEB_FAULT_CONTRADICTS);
    a->failing = ERR_INVALID_BLOCK;
    return HEARD_USELESS;
}

static void settle_blobs(struct ask *a)
{
    a->err = a->absent == a->c->o.beacon_n ? ERR_NOT_FOUND : a->failing;
}

static void tell_blobs(struct ask *a)
{
    struct blobs_ask *x = (struct blobs_ask *)a;
    const uint8_t *lent[LIMIT_L1_BLOBS];
    for (size_t i = 0; i < x->n; i++) {
        lent[i] = x->blob[i];
    }
    struct l1_blobs blobs = {lent, x->n};
    x->cb(x->arg, a->err, a->err == OK ? &blobs : NULL);
    free_blobs(x);
}

static void drop_blobs(struct ask *a)
{
    free_blobs((struct blobs_ask *)a);
}

static uint64_t slot_of(const struct l1_options *o, const struct l1_header *h)
{
    return o->slot_s == 0 ? h->at.number : (h->time_s - o->slot_genesis_s) / o->slot_s;
}

static char *blobs_path(const struct l1_options *o, const struct l1_header *at,
                        const struct hash *versioned, size_t n)
{
    size_t size = 96 + n * (HEX_SIZE(32) + 1);
    char *path = malloc(size);
    if (path == NULL) {
        return NULL;
    }
    size_t len = (size_t)snprintf(path, size, "/eth/v1/beacon/blobs/%" PRIu64 "?versioned_hashes=",
                                  slot_of(o, at));
    for (size_t i = 0; i < n; i++) {
        hex_encode(path + len, versioned[i].b, sizeof versioned[i].b);
        len += HEX_SIZE(32) - 1;
        path[len++] = i + 1 < n ? ',' : '\0';
    }
    return path;
}

enum err reads_blobs(void *ctx, const struct l1_header *at, const struct hash *versioned, size_t n,
                     l1_blobs_cb cb, void *arg)
{
    struct l1_client *c = ctx;
    if (n == 0 || n > LIMIT_L1_BLOBS) {
        return ERR_USAGE;
    }
    struct blobs_ask *x = ask_make(c, sizeof *x, LIMIT_WEB_ANSWER);
    if (x == NULL) {
        return ERR_NO_MEMORY;
    }
    x->cb = cb;
    x->arg = arg;
    x->n = n;
    memcpy(x->versioned, versioned, n * sizeof *versioned);
    x->ask.heard = heard_blobs;
    x->ask.settle = settle_blobs;
    x->ask.tell = tell_blobs;
    x->ask.drop = drop_blobs;
    x->ask.path = blobs_path(&c->o, at, versioned, n);
    if (x->ask.path == NULL) {
        ask_drop(&x->ask);
        return ERR_NO_MEMORY;
    }
    return ask_start(&x->ask);
}
