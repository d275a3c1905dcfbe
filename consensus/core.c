/* Making a core, restoring it after a restart, looking at it. */
#include "consensus/core.h"
#include "proto/keccak.h"

enum { INDEX_CAPACITY = 2 * LIMIT_CORE_RECORDS, ALIGN = 64 };

/* ---- memory
 * ------------------------------------------------------------------------------------------ */

/* Lays parts out behind each other; with base NULL it only counts. */
struct layout {
    uint8_t *base;
    size_t used;
};

static void *part(struct layout *l, size_t n)
{
    void *p = l->base == NULL ? NULL : l->base + l->used;
    l->used += (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    return p;
}

static void lay_out(struct layout *l, struct core *c, size_t leaders)
{
    c->slot_index.entry = part(l, INDEX_CAPACITY * sizeof(struct index_entry));
    c->turn_index.entry = part(l, INDEX_CAPACITY * sizeof(struct index_entry));
    c->block_index.entry = part(l, INDEX_CAPACITY * sizeof(struct index_entry));
    c->slot_free = part(l, LIMIT_CORE_RECORDS * sizeof(uint32_t));
    c->block_free = part(l, LIMIT_CORE_RECORDS * sizeof(uint32_t));
    c->turn_free = part(l, LIMIT_CORE_RECORDS * sizeof(uint32_t));
    c->slot_list = part(l, LIMIT_CORE_RECORDS * sizeof(uint32_t));
    c->block_list = part(l, LIMIT_CORE_RECORDS * sizeof(uint32_t));
    c->turn_list = part(l, LIMIT_CORE_RECORDS * sizeof(uint32_t));
    c->slot = part(l, LIMIT_CORE_RECORDS * sizeof(struct slot_record));
    c->block = part(l, LIMIT_CORE_RECORDS * sizeof(struct block_record));
    c->turn = part(l, LIMIT_CORE_RECORDS * sizeof(struct turn_record));
    c->cache = part(l, LIMIT_SIGNATURE_CACHE * sizeof(struct cached_signature));
    c->spill = part(l, (size_t)SYSTEM_SPILLS * LIMIT_SYSTEM_BYTES);
    c->scratch = part(l, SCRATCH_BYTES);
    c->leaders = part(l, leaders);
}

size_t core_footprint(const struct core_config *config)
{
    struct layout l = {NULL, 0};
    struct core c;
    part(&l, sizeof c);
    lay_out(&l, &c, rotation_size(&config->epoch));
    return l.used;
}

/* ---- making
 * ------------------------------------------------------------------------------------------ */

static void plant_anchor(struct core *c)
{
    struct block_head anchor = {.header = c->config.anchor};
    anchor.hash = header_hash(&anchor.header);
    struct block_record *b = block_new(c, &anchor);
    b->form = FORM_VALID;
    b->body = BODY_GOOD;
    b->run = RUN_VALID;
    b->notarized = true;
    b->arrival_us = c->config.start_us;
    c->root = (uint32_t)(b - c->block);
}

enum err core_init(struct core **out, void *memory, const struct core_config *config)
{
    if (config->self >= (int)config->epoch.n || config->epoch.quorum == 0 ||
        config->anchor.slot != 0) {
        return ERR_CONFIG;
    }
    struct layout l = {memory, 0};
    struct core *c = part(&l, sizeof *c);
    memset(c, 0, sizeof *c);
    c->config = *config;
    c->epoch = &c->config.epoch;
    c->n = config->epoch.n;
    c->leaders_n = (uint32_t)rotation_size(c->epoch);
    lay_out(&l, c, c->leaders_n);
    memset(c->slot_index.entry, 0, INDEX_CAPACITY * sizeof(struct index_entry));
    memset(c->turn_index.entry, 0, INDEX_CAPACITY * sizeof(struct index_entry));
    memset(c->block_index.entry, 0, INDEX_CAPACITY * sizeof(struct index_entry));
    memset(c->cache, 0, LIMIT_SIGNATURE_CACHE * sizeof(struct cached_signature));
    c->slot_index.mask = c->turn_index.mask = c->block_index.mask = INDEX_CAPACITY - 1;
    records_init(c);
    rotation_fill(c->leaders, c->leaders_n, c->epoch);
    c->self_bit = config->self >= 0 ? 1u << config->self : 0;
    c->now_us = config->start_us;
    c->random = load_be64(config->instance) | 1;
    struct hash nonce = keccak256(config->instance, sizeof config->instance);
    memcpy(c->nonce, nonce.b, sizeof c->nonce);
    c->amnesiac = config->observe_until_cleared;
    c->asking = config->ask_before_signing && config->self >= 0;
    c->lead.turn = UINT64_MAX;
    c->deadline_us = config->start_us;
    plant_anchor(c);
    c->cur = 1;
    *out = c;
    return OK;
}

/* ---- restart (CONSENSUS 8)
 * ----------------------------------------------------------------------------- */

enum err core_restore_final(struct core *core, const struct core_restored_final *final)
{
    struct core *c = core;
    if (final->head->header.slot == 0) {
        return OK;
    }
    struct block_record *old = block_root(c);
    struct block_record *b = block_new(c, final->head);
    if (b == NULL) {
        return ERR_INVARIANT;
    }
    b->form = FORM_VALID;
    b->body = BODY_GOOD;
    b->run = final->executed ? RUN_VALID : RUN_ASKED;
    b->notarized = true;
    b->arrival_us = c->config.start_us;
    c->root = (uint32_t)(b - c->block);
    block_drop(c, old);
    c->highest_final = final->head->header.slot;
    if (final->cert != NULL) {
        c->final_cert = *final->cert;
        c->highest_final = max_u64(c->highest_final, final->cert->slot);
    }
    c->highest_notarized = c->highest_final;
    if (final->cert != NULL && final->cert->slot > final->head->header.slot) {
        TRY(core_restore_certificate(core, final->cert));
    }
    if (final->bench_len != 0 && !bench_decode(&c->bench, final->bench, final->bench_len)) {
        return ERR_CORRUPT;
    }
    return OK;
}

enum err core_restore_block(struct core *core, const struct block_head *head, bool body_present)
{
    struct core *c = core;
    if (block_find(c, &head->hash) != NULL ||
        head->header.slot <= block_root(c)->head.header.slot) {
        return OK;
    }
    struct block_record *b = block_place(c, head);
    if (b == NULL) {
        return ERR_BUSY;
    }
    b->arrival_us = c->config.start_us;
    b->body = body_present || (head->header.flags & FLAG_EMPTY) != 0 ? BODY_GOOD : BODY_ABSENT;
    b->own = head->header.leader == c->config.self;
    return OK;
}

enum err core_restore_certificate(struct core *core, const struct certificate *cert)
{
    struct core *c = core;
    if (cert->epoch != c->epoch->epoch) {
        return OK;
    }
    TRY(certificate_check_form(c->epoch, cert));
    if (!certificate_good(c, cert)) {
        return ERR_BAD_CERTIFICATE;
    }
    if (cert->kind == VOTE_SKIP) {
        bool passed = turn_last(c, turn_of(c, cert->slot)) <= block_root(c)->head.header.slot;
        struct turn_record *t = passed ? NULL : turn_get(c, turn_of(c, cert->slot));
        if (t != NULL && (!t->skipped || t->skip.slot > cert->slot)) {
            t->skipped = true;
            t->skip = *cert;
        }
        return OK;
    }
    struct slot_record *r =
        cert->slot > block_root(c)->head.header.slot ? slot_get(c, cert->slot) : NULL;
    if (r == NULL) {
        return OK;
    }
    int kind = cert->kind - 1;
    r->cert[kind] = *cert;
    r->has_cert |= (uint8_t)(1u << kind);
    c->highest_notarized = max_u64(c->highest_notarized, cert->slot);
    if (cert->kind == VOTE_FINALIZE && cert->slot > c->highest_final) {
        c->highest_final = cert->slot;
        c->final_cert = *cert;
    }
    return OK;
}

enum err core_restore_vote(struct core *core, const struct vote *vote)
{
    struct core *c = core;
    if (vote->epoch != c->epoch->epoch || (int)vote->signer != c->config.self) {
        return OK;
    }
    c->highest_signed = max_u64(c->highest_signed, vote->slot);
    if (vote->slot <= block_root(c)->head.header.slot) {
        return OK;
    }
    struct slot_record *r = slot_get(c, vote->slot);
    if (r == NULL) {
        return ERR_BUSY;
    }
    r->own[vote->kind - 1] = *vote;
    r->own_durable |= (uint8_t)(1u << (vote->kind - 1));
    /* Who voted for a block of its own turn has proposed there, also where the mark was in the one
     * step that the second record alone remembers: that record holds votes only. */
    uint64_t turn = turn_of(c, vote->slot);
    if (vote->kind == VOTE_NOTARIZE && rotation_leader(c, turn) == c->config.self) {
        core_restore_proposing(core, turn);
    }
    return OK;
}

void core_restore_proposing(struct core *core, uint64_t turn)
{
    struct core *c = core;
    bool passed = turn_last(c, turn) <= block_root(c)->head.header.slot;
    struct turn_record *t = passed ? NULL : turn_get(c, turn);
    if (t != NULL) {
        t->proposing_found = true;
    }
}

void core_restore_sequence(struct core *core, uint64_t sequence)
{
    core->sequence = sequence;
    core->persisted = sequence;
}

void core_restore_floor(struct core *core, uint64_t slot)
{
    core->floor_slot = slot;
}

void core_start(struct core *core, uint64_t now_us, struct effects *out)
{
    struct core *c = core;
    c->out = out;
    out->n = 0;
    c->now_us = now_us;
    c->deadline_us = now_us;
    uint64_t root = block_root(c)->head.header.slot;
    c->start_root = root;
    c->cur = root == 0 ? 1 : root + 1;
    if (root != 0 && (block_root(c)->head.header.flags & FLAG_LAST) != 0) {
        c->cur = turn_last(c, turn_of(c, root)) + 1;
    }
    c->entered_us = now_us;
    block_root(c)->arrival_us = now_us;
    for (uint32_t i = 0; i < c->slots_used; i++) {
        struct slot_record *r = &c->slot[c->slot_list[i]];
        for (int k = 0; k < KINDS; k++) {
            if ((r->own_durable & 1u << k) != 0) {
                tally_own(c, r, k);
            }
        }
        for (int k = NOTARIZE; k <= FINALIZE; k += FINALIZE - NOTARIZE) {
            struct block_record *b =
                (r->has_cert & 1u << k) != 0 ? block_find(c, &r->cert[k].block) : NULL;
            if (b != NULL) {
                block_mark_notarized(c, b, r->slot);
            }
        }
    }
    chain_judge(c);
    out->n = 0;
}

/* ---- looking
 * ------------------------------------------------------------------------------------------- */

void core_get_status(const struct core *core, struct status *out)
{
    const struct core *c = core;
    const struct block_record *root = &c->block[c->root];
    memset(out, 0, sizeof *out);
    out->epoch = c->epoch->epoch;
    out->cur = c->cur;
    out->highest_signed = c->highest_signed;
    out->notarized_slot = c->highest_notarized;
    out->final_slot = c->highest_final;
    out->final = root->head.hash;
    out->final_height = root->head.header.height;
    out->executed_height = root->run == RUN_VALID ? root->head.header.height : 0;
    out->not_ready = c->last_verdict;
    out->pending = c->pending;
    memcpy(out->instance, c->config.instance, sizeof out->instance);
    out->clock_ms = c->wall_ms;
}

static uint32_t benched_next(const struct core *c)
{
    uint32_t mask = 0;
    uint32_t seen = 0;
    uint64_t turn = turn_of(c, c->cur);
    uint64_t end = turn + min_u64(c->leaders_n, 4 * (uint64_t)LIMIT_MEMBERS);
    for (uint64_t t = turn; t < end; t++) {
        uint32_t bit = 1u << rotation_leader(c, t);
        if ((seen & bit) == 0 && bench_is(c, t)) {
            mask |= bit;
        }
        seen |= bit;
    }
    return mask;
}

void core_get_view(struct core *core, struct core_view *out)
{
    struct core *c = core;
    memset(out, 0, sizeof *out);
    struct block_record *root = block_root(c);
    out->epoch = c->epoch->epoch;
    out->slot = c->cur;
    out->turn = turn_of(c, c->cur);
    out->entered_us = c->entered_us;
    out->leader = rotation_leader(c, out->turn);
    out->final_slot = root->head.header.slot;
    out->final_height = root->head.header.height;
    out->notarized_slot = c->highest_notarized;
    out->final = root->head.hash;
    out->executed_slot = block_executed(c, root) ? root->head.header.slot : 0;
    out->highest_signed = c->highest_signed;
    out->turns_unfinal = timing_turns_unfinal(c);
    out->not_ready = ready_verdict(c);
    out->amnesiac = c->amnesiac;
    out->stopped = c->stopped;
    out->benched = benched_next(c);
    out->away = c->bench.away;
    out->offended = c->bench.offended;
    out->heard = members_all(c) & ~timing_unheard(c);
    out->delta_us = timing_delta(c);
    out->grace_us = timing_grace(c);
    out->records = c->slots_used;
    out->blocks = c->blocks_used;
    stall_view(c, out);
}

const char *skip_reason_name(int reason)
{
    static const char *const names[SKIP_REASONS] = {
        [SKIP_LATE] = "late",
        [SKIP_STUCK] = "stuck",
        [SKIP_HEAD_STALL] = "head stall",
        [SKIP_SILENT] = "silent",
        [SKIP_YIELD] = "yield",
        [SKIP_STARVING] = "starving",
        [SKIP_FOLLOW] = "follow",
        [SKIP_INVALID] = "invalid",
        [SKIP_AHEAD] = "ahead of time",
        [SKIP_PROPOSING] = "proposing",
        [SKIP_NOT_READY] = "not ready",
    };
    return reason >= 0 && reason < SKIP_REASONS ? names[reason] : "none";
}

const char *alarm_name(enum alarm_kind what)
{
    switch (what) {
    case ALARM_CONFLICT:
        return "conflicting certificates";
    case ALARM_PARENT_BELOW_FINAL:
        return "justified parent below the final head";
    case ALARM_DIVERGENCE:
        return "execution divergence";
    case ALARM_WRITE_FAILED:
        return "write failed";
    case ALARM_SIGNER:
        return "signer refused";
    case ALARM_SECOND_INSTANCE:
        return "second instance of this key";
    case ALARM_AMNESIAC:
        return "amnesia";
    case ALARM_RECORDS_FULL:
        return "records full";
    }
    return "unknown";
}
