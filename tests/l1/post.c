/* The transaction manager on the L1 under test. Its journal is forgotten: nothing here restarts. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "drive.h"
#include "proto/tx.h"
#include "sequencer/l1/feed.h"

enum { DATA = 4, RESEND_MS = 500, CONFIRMATIONS = 3, BLOCKS_A_SEGMENT = 10 };

struct post {
    struct drive *d;
    struct txm *txm;
    struct feed *feed;
    struct secret_key key;
};

static enum err sign(void *ctx, const struct txm_request *r, uint8_t *out, size_t cap, size_t *n)
{
    struct post *p = ctx;
    const struct tx_request tx = {.chain_id = r->chain_id, .nonce = r->nonce,
                                  .max_priority_fee = r->fees.tip, .max_fee = r->fees.cap,
                                  .gas = r->gas, .to = r->payload->to, .data = r->payload->data};
    return tx_sign(out, cap, n, &tx, &p->key);
}

static enum err forget(void *ctx, struct bytes group)
{
    (void)ctx;
    (void)group;
    return OK;
}

static bool derived(void *arg, const struct l1_ref *head, uint64_t *safe)
{
    (void)arg;
    (void)head;
    *safe = 0;
    return true;
}

void post_open(struct drive *d, uint64_t chain_id)
{
    struct post *p = calloc(1, sizeof *p);
    struct txm_config cfg = txm_config_default();
    const struct txm_signer signer = {p, sign};
    const struct txm_journal journal = {p, forget, forget};
    if (p == NULL) {
        abort();
    }
    sign_key(&p->key);
    cfg.chain_id = chain_id;
    cfg.kind = TXM_CALLDATA;
    cfg.resend_ms = RESEND_MS;
    cfg.confirmations = CONFIRMATIONS;
    if (key_address(&cfg.account, &p->key) != OK || txm_new(&p->txm, &cfg, &signer, &journal) != OK) {
        abort();
    }
    struct feed_options o = {.l1 = d->l1, .txm = p->txm, .account = cfg.account,
                             .derived = derived, .arg = p};
    if (feed_open(&p->feed, &o) != OK) {
        abort();
    }
    p->d = d;
    d->post = p;
}

void post_look(struct drive *d)
{
    feed_look(d->post->feed, uv_now(&d->loop));
}

void post_segment(struct drive *d, const char *id, uint64_t segment, const char *to)
{
    struct post *p = d->post;
    uint8_t data[DATA];
    uint64_t nonce = 0;
    struct txm_payload payload = {.segment = segment, .kind = TXM_CALLDATA,
                                  .last = BLOCKS_A_SEGMENT * (segment + 1),
                                  .data = bytes_of(data, sizeof data)};
    store_be32(data, (uint32_t)segment);
    enum err e = hex_decode(payload.to.b, 20, to) ? txm_post(p->txm, &payload, 1, &nonce) : ERR_USAGE;
    e = e == OK ? txm_release(p->txm, nonce) : e;
    feed_send(p->feed);
    printf("{\"id\":\"%s\",\"err\":\"%s\",\"nonce\":%" PRIu64 "}\n", id,
           e == OK ? "OK" : err_name(e), nonce);
    fflush(stdout);
}

void post_print(struct drive *d, const char *id)
{
    static const char *const state[] = {"journaled", "pending", "mined", "confirmed"};
    struct post *p = d->post;
    struct txm_status s;
    txm_status(p->txm, &s);
    printf("{\"id\":\"%s\",\"err\":\"OK\",\"sends\":%" PRIu64 ",\"reorged\":%" PRIu64
           ",\"finals\":%" PRIu64 ",\"alarms\":%" PRIu32 ",\"slots\":[",
           id, s.sends, s.reorged, s.finals, s.alarms);
    for (size_t i = 0; i < txm_slots(p->txm); i++) {
        struct txm_slot_view v;
        txm_slot(p->txm, i, &v);
        printf("%s{\"nonce\":%" PRIu64 ",\"state\":\"%s\",\"block\":%" PRIu64 ",\"segment\":%" PRIu64
               "}", i == 0 ? "" : ",", v.nonce, state[v.state], v.block.number,
               v.payload == NULL ? UINT64_MAX : v.payload->segment);
    }
    printf("]}\n");
    fflush(stdout);
}

void post_close(struct drive *d)
{
    feed_close(d->post->feed);
    txm_free(d->post->txm);
    free(d->post);
    d->post = NULL;
}
