/* The journal of the transactions on an L1: what of a group can be read is written again as the
 * same bytes, and a manager that starts with it takes it whole or refuses it. */
#include "sequencer/l1/txm.h"
#include "tests/fuzz/fuzz.h"

static void read_group(struct bytes in)
{
    struct txm_group again = {.p = NULL};
    struct txm_record r;
    struct bytes left = in;
    size_t read = 0;
    enum err e = OK;
    while (txm_group_next(&left, &r, &e)) {
        DEMAND(r.payload.blobs <= LIMIT_TX_BLOBS);
        txm_group_put(&again, &r);
        read = in.n - left.n;
    }
    DEMAND(again.bad == OK && (e != OK || read == in.n));
    DEMAND(read == again.n && (read == 0 || memcmp(again.p, in.p, read) == 0));
    txm_group_free(&again);
}

/* ---- a manager that signs nothing and writes nothing down ------------------------------------ */

static enum err no_signature(void *ctx, const struct txm_request *r, uint8_t *out, size_t cap,
                             size_t *n)
{
    (void)ctx;
    (void)r;
    (void)out;
    (void)cap;
    (void)n;
    return ERR_CRYPTO;
}

static enum err no_disk(void *ctx, struct bytes group)
{
    (void)ctx;
    (void)group;
    return ERR_IO;
}

/* New nonces begin above all that were written down, and every hash that may be asked for is one of
 * a slot. */
static void check_restored(struct txm *t)
{
    struct txm_status status;
    struct txm_slot_view v;
    struct hash hash;
    size_t rungs = 0;
    size_t hashes = 0;
    txm_status(t, &status);
    DEMAND(txm_slots(t) <= LIMIT_TXM_SLOTS && status.unfinal == txm_slots(t));
    for (size_t i = 0; i < txm_slots(t); i++) {
        txm_slot(t, i, &v);
        DEMAND(v.nonce < status.next_nonce && v.rungs <= LIMIT_TXM_RUNGS);
        DEMAND(v.rungs == 0 || v.rung < v.rungs);
        DEMAND(v.payload != NULL && v.payload->blobs <= LIMIT_TX_BLOBS);
        rungs += v.rungs;
    }
    while (txm_hash(t, &(size_t){hashes}, &hash)) {
        hashes++;
    }
    DEMAND(hashes >= rungs);
}

static void restore(struct bytes in)
{
    const struct txm_signer signer = {NULL, no_signature};
    const struct txm_journal journal = {NULL, no_disk, no_disk};
    struct txm_config config = txm_config_default();
    struct txm *t;
    config.kind = (in.n & 1) != 0 ? TXM_CALLDATA : TXM_BLOB;
    DEMAND(txm_new(&t, &config, &signer, &journal) == OK);
    enum err e = txm_restore(t, in);
    DEMAND(e == OK || e == ERR_CORRUPT || e == ERR_NO_MEMORY);
    if (e == OK) {
        check_restored(t);
    }
    txm_free(t);
}

void fuzz_txm(struct bytes in)
{
    read_group(in);
    restore(in);
}
