/* One transaction manager with a real signer, a journal in memory and an L1 that says what the test
 * wants it to say. */
#ifndef TESTS_UNIT_SEQUENCER_POSTING_TXM_KIT_H
#define TESTS_UNIT_SEQUENCER_POSTING_TXM_KIT_H

/* cmocka wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/key.h"
#include "sequencer/l1/txm.h"

enum { KIT_GROUPS = 256, KIT_FACTS = 64, L1_CHAIN = 900 };

struct kit_fact {
    struct hash hash;
    struct txm_receipt is;
};

struct kit {
    struct txm *t;
    struct txm_config cfg;
    struct secret_key key;
    struct txm_view view;
    uint8_t *group[KIT_GROUPS];
    size_t group_n[KIT_GROUPS];
    size_t groups;
    enum err fail_append; /* OK: works */
    struct kit_fact fact[KIT_FACTS];
    size_t facts;
    bool unknown; /* no quorum for receipts */
};

void kit_open(struct kit *k, enum txm_kind kind);
void kit_close(struct kit *k);
/* The process dies; the next one reads the journal. */
void kit_restart(struct kit *k);
/* A new head, `blocks` above the last, and a tick. */
void kit_head(struct kit *k, uint64_t blocks);
/* A tick at the same head, later. */
void kit_later(struct kit *k, uint64_t ms);
/* What L1 says of a transaction from now on. */
void kit_says(struct kit *k, const struct hash *hash, enum txm_found found, enum txm_pooled pool,
              uint64_t number);
/* Segment `no`, last block 10 (no + 1). */
struct txm_payload kit_payload(const struct kit *k, uint64_t no);
/* Posts and releases it; its nonce. */
uint64_t kit_post(struct kit *k, uint64_t no);
/* The next send; fails the test where there is none. */
struct txm_send kit_send(struct kit *k);
void kit_quiet(struct kit *k); /* nothing is due */
struct txm_status kit_status(const struct kit *k);
struct txm_slot_view kit_slot(const struct kit *k, size_t i);
struct u256 kit_gwei(uint64_t n);

#endif
