#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "posting_world.h"
#include "proto/keccak.h"
#include "proto/limits.h"
#include "proto/vote.h"

static const uint8_t no_txs[1] = {0xc0};

static void ignore_wake(void *arg)
{
    (void)arg;
}

void open_world(struct world *w)
{
    char why[256];
    enum storage_verdict verdict;
    kit_dir_make(&w->dir);
    kit_genesis(&w->genesis);
    w->genesis.seal_ms = SEAL_MS;
    memset(w->genesis.payload.b, 0x11, sizeof w->genesis.payload.b);
    assert_int_equal(genesis_epoch_config(&w->config, &w->genesis, why, sizeof why), OK);
    for (uint8_t i = 0; i < MEMBERS; i++) {
        w->key[i].b[31] = (uint8_t)(i + 1);
    }
    genesis_anchor(&w->tip, &w->genesis, &w->config);
    w->tip_hash = header_hash(&w->tip);
    const struct storage_options o = {.dir = w->dir.path,
                                      .genesis = w->config.genesis,
                                      .member = w->genesis.member[0].address,
                                      .create = true,
                                      .wake = ignore_wake};
    assert_int_equal(storage_open(&w->storage, &o, &verdict, why, sizeof why), OK);
}

/* ---- a final chain --------------------------------------------------------------------------- */

void certify(const struct world *w, struct certificate *c)
{
    static const uint8_t who[] = {0, 1, 3};
    *c = (struct certificate){.kind = VOTE_FINALIZE,
                              .slot = w->tip.slot,
                              .block = w->tip_hash,
                              .signers = 11};
    struct hash digest = vote_digest(&w->config, VOTE_FINALIZE, c->slot, &c->block);
    for (size_t k = 0; k < sizeof who; k++) {
        assert_int_equal(key_sign(&c->signature[k], &w->key[who[k]], &digest), OK);
    }
}

static void next_header(struct world *w, uint8_t flags, struct bytes body)
{
    struct header h = w->tip;
    bool empty = (flags & FLAG_EMPTY) != 0;
    h.parent_slot = h.slot;
    h.parent = w->tip_hash;
    h.slot++;
    h.flags = flags;
    h.timestamp_ms += BLOCK_MS;
    h.leader = (uint8_t)(h.slot / 8 % MEMBERS);
    h.payload_parent = w->tip.payload;
    h.body_len = (uint32_t)body.n;
    h.body_root = keccak256(body.p, body.n);
    if (!empty) {
        h.height++;
        h.payload = keccak256(&h.height, sizeof h.height);
    }
    w->tip = h;
    w->tip_hash = header_hash(&h);
}

/* The next final block on the disk, with or without a certificate of its own. */
void grow(struct world *w, uint8_t flags, bool certified)
{
    bool empty = (flags & FLAG_EMPTY) != 0;
    struct bytes body = bytes_of(no_txs, empty ? 0 : sizeof no_txs);
    next_header(w, flags, body);
    struct certificate cert;
    struct block b = {.head.header = w->tip, .head.hash = w->tip_hash, .body = body};
    assert_int_equal(storage_submit_block(w->storage, &w->tip_hash, &b), OK);
    if (certified) {
        certify(w, &cert);
    }
    const struct storage_final f = {
        .hash = w->tip_hash, .header = &w->tip, .cert = certified ? &cert : NULL};
    assert_int_equal(storage_submit_final(w->storage, &f), OK);
}

void grow_many(struct world *w, uint32_t blocks)
{
    for (uint32_t i = 0; i < blocks; i++) {
        grow(w, 0, true);
    }
}

/* What was handed to the disk can be read. */
void settle(struct world *w)
{
    assert_int_equal(storage_retry(w->storage), OK);
}
