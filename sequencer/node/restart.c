/* A restart (CONSENSUS 8): what the journal and the block store hold goes back into the core, in
 * the order that consensus.h asks for. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "sequencer/node/parts.h"

struct journal {
    struct node *node;
    uint64_t floor; /* final slot: nothing at or below it is needed */
    struct vote *vote;
    size_t votes, votes_cap;
    struct certificate *cert;
    size_t certs, certs_cap;
    uint64_t *turn;
    size_t turns, turns_cap;
    struct hash *named; /* blocks that votes and certificates name, and their ancestors */
    uint64_t *named_slot;
    size_t names, names_cap;
    uint64_t clearing_slot;
    bool no_memory;
};

/* Room for one more element; false when there is no memory. */
static bool room(void *array, size_t n, size_t *cap, size_t each)
{
    if (n < *cap) {
        return true;
    }
    size_t bigger = *cap == 0 ? 64 : *cap * 2;
    void *old;
    memcpy(&old, array, sizeof old);
    void *p = realloc(old, bigger * each);
    if (p == NULL) {
        return false;
    }
    memcpy(array, &p, sizeof p);
    *cap = bigger;
    return true;
}

static void take_vote(struct journal *j, const struct vote *v)
{
    if (v->slot > j->node->own_finalized && v->kind == VOTE_FINALIZE) {
        j->node->own_finalized = v->slot;
    }
    if (v->slot <= j->floor || v->epoch != j->node->epoch.epoch) {
        return;
    }
    if (!room(&j->vote, j->votes, &j->votes_cap, sizeof *j->vote)) {
        j->no_memory = true;
        return;
    }
    j->vote[j->votes++] = *v;
}

static void take_certificate(struct journal *j, const struct certificate *c)
{
    if (c->slot <= j->floor || c->epoch != j->node->epoch.epoch) {
        return;
    }
    if (!room(&j->cert, j->certs, &j->certs_cap, sizeof *j->cert)) {
        j->no_memory = true;
        return;
    }
    j->cert[j->certs++] = *c;
}

static bool take_step(void *arg, const struct journal_step *s)
{
    struct journal *j = arg;
    if (s->epoch != j->node->epoch.epoch) {
        return true;
    }
    for (uint32_t i = 0; i < s->votes; i++) {
        take_vote(j, &s->vote[i]);
    }
    for (uint32_t i = 0; i < s->certs; i++) {
        take_certificate(j, &s->cert[i]);
    }
    if (s->cleared && s->clearing_slot > j->clearing_slot) {
        j->clearing_slot = s->clearing_slot;
    }
    if (s->proposing && room(&j->turn, j->turns, &j->turns_cap, sizeof *j->turn)) {
        j->turn[j->turns++] = s->proposing_turn;
    }
    return !j->no_memory;
}

/* ---- blocks above the final one -------------------------------------------------------------- */

static bool known_name(const struct journal *j, const struct hash *h)
{
    for (size_t i = 0; i < j->names; i++) {
        if (hash_equal(&j->named[i], h)) {
            return true;
        }
    }
    return false;
}

static bool add_name(struct journal *j, const struct hash *hash, uint64_t slot)
{
    size_t cap = j->names_cap;
    if (!room(&j->named, j->names, &cap, sizeof *j->named) ||
        !room(&j->named_slot, j->names, &j->names_cap, sizeof *j->named_slot)) {
        j->no_memory = true;
        return false;
    }
    j->named[j->names] = *hash;
    j->named_slot[j->names++] = slot;
    return true;
}

/* The block and its ancestors above the final one, as far as the disk has them. */
static void name_chain(struct journal *j, struct hash hash)
{
    while (!hash_is_zero(&hash) && !known_name(j, &hash)) {
        struct block_entry *e = blocks_load(j->node, &hash);
        if (e == NULL || e->head.header.slot <= j->floor ||
            !add_name(j, &hash, e->head.header.slot)) {
            return;
        }
        hash = e->head.header.parent;
    }
}

static enum err restore_blocks(struct journal *j)
{
    for (size_t i = 0; i < j->votes; i++) {
        name_chain(j, j->vote[i].block);
    }
    for (size_t i = 0; i < j->certs; i++) {
        name_chain(j, j->cert[i].block);
    }
    /* Parents before children: by slot, lowest first. */
    for (size_t done = 0; done < j->names; done++) {
        size_t low = done;
        for (size_t i = done + 1; i < j->names; i++) {
            low = j->named_slot[i] < j->named_slot[low] ? i : low;
        }
        struct hash h = j->named[low];
        uint64_t slot = j->named_slot[low];
        j->named[low] = j->named[done];
        j->named_slot[low] = j->named_slot[done];
        j->named[done] = h;
        j->named_slot[done] = slot;
        struct block_entry *e = blocks_load(j->node, &h);
        if (e == NULL) {
            continue;
        }
        bool body = blocks_is_empty(&e->head.header) || e->body_state == ENTRY_LOADED;
        TRY(core_restore_block(j->node->driver.core, &e->head, body));
    }
    return j->no_memory ? ERR_NO_MEMORY : OK;
}

/* ---- the final block ------------------------------------------------------------------------- */

static enum err restore_final(struct node *n, struct journal *j)
{
    uint64_t epoch = 0;
    uint64_t slot = 0;
    struct hash hash;
    struct storage_buffer bench = {0};
    enum err err = storage_highest_final(n->storage, &epoch, &slot, &hash, &bench);
    if (err == ERR_NOT_FOUND) {
        free(bench.p);
        return OK;
    }
    struct certificate cert;
    struct block_entry *e = err == OK ? blocks_load(n, &hash) : NULL;
    if (err == OK && (e == NULL || epoch != n->epoch.epoch)) {
        err = ERR_CORRUPT;
    }
    if (err == OK) {
        err = storage_certificate(n->storage, epoch, slot, &cert);
    }
    if (err == OK) {
        const struct core_restored_final f = {.head = &e->head,
                                              .cert = &cert,
                                              .executed = true,
                                              .bench = bench.p,
                                              .bench_len = bench.n};
        err = core_restore_final(n->driver.core, &f);
    }
    free(bench.p);
    TRY(err);
    struct finality *f = &n->finality;
    const struct header *h = &e->head.header;
    e->final = true;
    e->done = true;
    j->floor = slot;
    f->slot = f->latest_slot = f->tip_slot = slot;
    f->height = f->latest_number = h->height;
    f->latest_payload = h->payload;
    f->latest_block = f->tip = hash;
    f->latest_ms = h->timestamp_ms;
    return OK;
}

static void start_at_genesis(struct node *n)
{
    struct finality *f = &n->finality;
    f->latest_payload = n->genesis.payload;
    f->latest_block = f->tip = n->anchor_hash;
    f->latest_ms = n->anchor.timestamp_ms;
}

static enum err restore_journal(struct node *n, struct journal *j)
{
    struct core *core = n->driver.core;
    TRY(storage_walk_journal(n->storage, take_step, j));
    TRY(j->no_memory ? ERR_NO_MEMORY : OK);
    TRY(restore_blocks(j));
    for (size_t i = 0; i < j->certs; i++) {
        TRY(core_restore_certificate(core, &j->cert[i]));
    }
    for (size_t i = 0; i < j->votes; i++) {
        TRY(core_restore_vote(core, &j->vote[i]));
    }
    for (size_t i = 0; i < j->turns; i++) {
        core_restore_proposing(core, j->turn[i]);
    }
    if (j->clearing_slot != 0) {
        core_restore_floor(core, j->clearing_slot);
    }
    core_restore_sequence(core, storage_sequence(n->storage));
    n->driver.steps.persisted = n->driver.steps.submitted = storage_sequence(n->storage);
    return OK;
}

/* ---- the core -------------------------------------------------------------------------------- */

static bool core_sign(void *ctx, struct signature *out, const struct hash *digest)
{
    const struct node *n = ctx;
    return key_sign(out, n->key, digest) == OK;
}

static bool core_recover(void *ctx, struct address *out, const struct signature *sig,
                         const struct hash *digest)
{
    (void)ctx;
    return key_recover(out, sig, digest) == OK;
}

static struct core_config core_settings(const struct node *n)
{
    uint64_t age_ms = driver_wall(n) - n->genesis.timestamp_ms;
    bool young = driver_wall(n) < n->genesis.timestamp_ms || age_ms < 2000;
    struct core_config c = {
        .epoch = n->epoch,
        .anchor = n->anchor,
        .self = n->self,
        .start_us = driver_now(),
        .head_stall_us = n->config->head_stall_ms * 1000,
        .observe_until_cleared = n->verdict == STORAGE_AMNESIAC,
        .ask_before_signing = !(n->verdict == STORAGE_NEVER_SIGNED && young),
        .ask_without_limit = n->verdict == STORAGE_ONE_BEHIND,
        .crypto = {.ctx = NULL, .sign = core_sign, .recover = core_recover},
    };
    memcpy(c.instance, n->instance, sizeof c.instance);
    return c;
}

enum err restart_core(struct node *n, char *why, size_t why_len)
{
    struct core_config config = core_settings(n);
    config.crypto.ctx = n;
    size_t size = (core_footprint(&config) + 63) / 64 * 64;
    n->driver.memory = aligned_alloc(64, size);
    if (n->driver.memory == NULL) {
        snprintf(why, why_len, "out of memory: the consensus core needs %zu bytes", size);
        return ERR_NO_MEMORY;
    }
    enum err err = core_init(&n->driver.core, n->driver.memory, &config);
    n->driver.steps.core = n->driver.core;
    if (err != OK) {
        snprintf(why, why_len, "the genesis breaks a rule of the consensus: %s", err_text(err));
        return err;
    }
    struct journal j = {.node = n};
    start_at_genesis(n);
    err = restore_final(n, &j);
    if (err == OK) {
        err = restore_journal(n, &j);
    }
    if (err != OK) {
        snprintf(why, why_len,
                 "the journal in %s/db does not fit together (%s); move that folder away and keep "
                 "the file `safety`: the node fetches the chain again",
                 n->config->dir, err_text(err));
    }
    free(j.vote);
    free(j.cert);
    free(j.turn);
    free(j.named);
    free(j.named_slot);
    return err;
}
