/* What must hold (CONSENSUS 12), checked by code that knows the rules from the page, not from the
 * core. */
#include "tests/unit/consensus/world_internal.h"

static void note_vote(struct world *w, int a, const struct vote *v)
{
    struct member_state *s = &w->member[a];
    assert_true(v->slot < SLOTS);
    int k = v->kind - 1;
    if (s->signed_kind[k][v->slot] != 0) {
        fail_msg("member %d signed kind %d twice at slot %llu", a, v->kind, (unsigned long long)v->slot);
    }
    s->signed_kind[k][v->slot] = 1;
    s->signed_block[k][v->slot] = v->block;
}

/* N2, S2 and F3 seen from outside: the histories of honest keys. */
static void check_history(struct world *w, int a, const struct vote *v)
{
    struct member_state *s = &w->member[a];
    uint64_t turn_slots = w->o.turn_slots;
    uint64_t first = (v->slot - 1) / turn_slots * turn_slots + 1;
    if (v->kind == VOTE_NOTARIZE && s->signed_kind[1][v->slot] != 0) {
        fail_msg("member %d notarized slot %llu after skipping it", a, (unsigned long long)v->slot);
    }
    if (v->kind == VOTE_SKIP) {
        for (uint64_t u = v->slot; u < first + turn_slots; u++) {
            if (s->signed_kind[2][u] != 0) {
                fail_msg("member %d skipped slot %llu after finalizing %llu", a, (unsigned long long)v->slot, (unsigned long long)u);
            }
        }
    }
    if (v->kind == VOTE_FINALIZE && s->signed_kind[1][v->slot] != 0) {
        fail_msg("member %d finalized slot %llu after skipping it", a, (unsigned long long)v->slot);
    }
}

/* ---- what could still be certified, the possessed voting for everything --------------------------- */

static uint32_t weight_of(struct world *w, int kind, uint64_t slot, const struct hash *block)
{
    uint32_t weight = 0;
    for (uint32_t i = 0; i < w->o.n; i++) {
        const struct member_state *s = &w->member[i];
        bool with = s->possessed || (s->signed_kind[kind][slot] != 0 && (block == NULL || hash_equal(&s->signed_block[kind][slot], block)));
        weight += with ? w->epoch.member[i].weight : 0;
    }
    return weight;
}

static bool some_finalizable(struct world *w, uint64_t slot)
{
    for (uint32_t i = 0; i < w->o.n; i++) {
        const struct member_state *s = &w->member[i];
        if (!s->possessed && s->signed_kind[2][slot] != 0 &&
            weight_of(w, 2, slot, &s->signed_block[2][slot]) >= w->epoch.quorum) {
            return true;
        }
    }
    return false;
}

/* One notarizable block a slot; no slot finalizable with a skippable one at or before it. */
static void check_exclusion(struct world *w, const struct vote *v)
{
    uint64_t first = (v->slot - 1) / w->o.turn_slots * w->o.turn_slots + 1;
    if (v->kind == VOTE_NOTARIZE) {
        uint32_t blocks = 0;
        for (uint32_t i = 0; i < w->o.n; i++) {
            const struct member_state *s = &w->member[i];
            bool other = !s->possessed && s->signed_kind[0][v->slot] != 0 && !hash_equal(&s->signed_block[0][v->slot], &v->block);
            blocks += other && weight_of(w, 0, v->slot, &s->signed_block[0][v->slot]) >= w->epoch.quorum;
        }
        if (blocks != 0 && weight_of(w, 0, v->slot, &v->block) >= w->epoch.quorum) {
            fail_msg("two blocks can be notarized at slot %llu", (unsigned long long)v->slot);
        }
        return;
    }
    for (uint64_t u = first; u < first + w->o.turn_slots; u++) {
        bool skippable = weight_of(w, 1, u, NULL) >= w->epoch.quorum;
        for (uint64_t s = u; skippable && s < first + w->o.turn_slots; s++) {
            if (some_finalizable(w, s)) {
                fail_msg("slot %llu can be finalized, slot %llu skipped", (unsigned long long)s, (unsigned long long)u);
            }
        }
    }
}

void oracle_persist(struct world *w, int a, const struct effect *e)
{
    for (uint32_t i = 0; i < e->u.persist.votes; i++) {
        const struct vote *v = &e->u.persist.vote[i];
        check_history(w, a, v);
        note_vote(w, a, v);
        if (!w->member[a].possessed) {
            check_exclusion(w, v);
        }
        if (v->kind == VOTE_SKIP) {
            w->own_skips[e->u.persist.reason[i]]++;
        }
    }
}

static bool vote_durable(const struct member_state *s, const struct vote *v)
{
    for (uint32_t k = 0; k < s->disk.steps; k++) {
        const struct disk_step *t = &s->disk.step[k];
        for (uint32_t i = 0; t->durable && i < t->votes; i++) {
            if (t->vote[i].kind == v->kind && t->vote[i].slot == v->slot && hash_equal(&t->vote[i].block, &v->block)) {
                return true;
            }
        }
    }
    return false;
}

/* Nothing signed leaves before it is durable; no certificate holds an own vote that is not. */
void oracle_send(struct world *w, int a, const struct effect *e)
{
    const struct message *m = e->u.send.message;
    const struct member_state *s = &w->member[a];
    if (e->u.send.gate > s->persisted) {
        return;
    }
    const struct bundle *b = m->kind == MSG_PROPOSAL ? &m->u.proposal.justification
                             : m->kind == MSG_BUNDLE || m->kind == MSG_VOTES ? &m->u.bundle : NULL;
    for (uint32_t i = 0; b != NULL && i < b->votes; i++) {
        if (!vote_durable(s, &b->vote[i])) {
            fail_msg("member %d sends a vote at slot %llu that is not durable", a, (unsigned long long)b->vote[i].slot);
        }
    }
    for (uint32_t i = 0; b != NULL && i < b->certs; i++) {
        const struct certificate *cert = &b->cert[i];
        const struct vote own = {.kind = cert->kind, .slot = cert->slot, .block = cert->block};
        /* What a lost journal held is not known here. */
        if ((cert->signers & 1u << a) != 0 && !s->disk.forgot && !s->possessed && !vote_durable(s, &own)) {
            fail_msg("member %d shows a certificate with an own vote that is not durable", a);
        }
    }
}

static void check_chain(struct world *w, int a, uint32_t i)
{
    const struct header *h = &w->block[i].head.header;
    struct member_state *s = &w->member[a];
    uint64_t parent_slot = s->head_block == BLOCKS_MAX ? 0 : s->head_slot;
    if (h->parent_slot != parent_slot) {
        fail_msg("member %d: final slot %llu does not follow %llu", a, (unsigned long long)h->slot, (unsigned long long)parent_slot);
    }
    uint64_t height = s->head_height + ((h->flags & FLAG_EMPTY) == 0);
    assert_int_equal(h->height, height);
    for (uint64_t slot = h->parent_slot + 1; slot < h->slot; slot++) {
        if (w->final_at[slot] != 0) {
            fail_msg("member %d skips over slot %llu, final elsewhere", a, (unsigned long long)slot);
        }
    }
}

static bool signed_by(struct world *w, int member, const struct signature *sig, const struct hash *digest)
{
    struct signature want;
    world_sign(&want, &w->epoch.member[member].address, digest);
    return memcmp(want.b, sig->b, sizeof want.b) == 0;
}

/* What final blocks carry was said by whom they name, and nobody honest is accused (CONSENSUS 2). */
static void check_announced(struct world *w, const struct block_head *head)
{
    struct system_section s;
    assert_int_equal(system_decode(&s, head->system), OK);
    struct ready_notice r;
    for (size_t at = 0; system_next_notice(&s, &at, &r); w->carried[0]++) {
        struct hash digest = ready_digest(&w->epoch, &r);
        uint32_t named = r.slot < SLOTS ? w->final_at[r.slot] : 0;
        if (!signed_by(w, r.member, &r.signature, &digest) || named == 0 ||
            !hash_equal(&w->block[named - 1].head.hash, &r.block)) {
            fail_msg("slot %llu: a readiness notice that is none", (unsigned long long)head->header.slot);
        }
    }
    struct leave_notice l;
    for (size_t at = 0; system_next_leave(&s, &at, &l); w->carried[1]++) {
        struct hash digest = leave_digest(&w->epoch, &l);
        assert_true(signed_by(w, l.member, &l.signature, &digest));
    }
    struct evidence e;
    for (size_t at = 0; system_next_evidence(&s, &at, &e); w->carried[2]++) {
        if (!w->member[e.member].lied || (w->accused & 1u << e.member) != 0) {
            fail_msg("slot %llu: evidence against member %d, honest or already out", (unsigned long long)head->header.slot, e.member);
        }
        w->accused |= 1u << e.member;
    }
}

void oracle_final(struct world *w, int a, const struct effect *e)
{
    struct member_state *s = &w->member[a];
    uint32_t i = world_block_add(w, e->u.final.head);
    const struct header *h = &w->block[i].head.header;
    assert_true(h->slot < SLOTS);
    if (w->final_at[h->slot] != 0 && w->final_at[h->slot] != i + 1) {
        fail_msg("agreement: two final blocks at slot %llu", (unsigned long long)h->slot);
    }
    check_chain(w, a, i);
    if (w->final_at[h->slot] == 0) {
        check_announced(w, &w->block[i].head);
    }
    assert_true(s->has_body[i] || (h->flags & FLAG_EMPTY) != 0);
    /* Equal chains, equal benching. */
    struct hash bench = keccak256(e->u.final.bench, e->u.final.bench_len);
    if (w->final_at[h->slot] != 0 && !hash_equal(&bench, &w->final_bench[h->slot])) {
        fail_msg("member %d: another benching at slot %llu", a, (unsigned long long)h->slot);
    }
    w->final_bench[h->slot] = bench;
    w->final_at[h->slot] = i + 1;
    s->head_block = i;
    s->head_slot = h->slot;
    s->head_height = h->height;
    assert_true(e->u.final.bench_len <= sizeof s->bench);
    memcpy(s->bench, e->u.final.bench, e->u.final.bench_len);
    s->bench_len = e->u.final.bench_len;
    if (e->u.final.cert != NULL) {
        s->head_cert = *e->u.final.cert;
        if (w->final_cert[h->slot] == NULL) {
            w->final_cert[h->slot] = malloc(sizeof s->head_cert);
            assert_non_null(w->final_cert[h->slot]);
            *w->final_cert[h->slot] = s->head_cert;
        }
    }
    disk_head(w, a);
    if (h->height > w->top_height) {
        uint64_t gap = w->now - w->top_at;
        w->longest_gap = gap > w->longest_gap ? gap : w->longest_gap;
        w->top_at = w->now;
        w->top_height = h->height;
    }
    if (!s->executed[i]) {
        world_run_client(w, a, i);
    }
}

/* What is said to be skipped is, by the certificate shown. */
void oracle_skipped(struct world *w, const struct effect *e)
{
    const struct certificate *cert = e->u.skipped.cert;
    assert_int_equal(cert->kind, VOTE_SKIP);
    assert_int_equal((cert->slot - 1) / w->o.turn_slots, e->u.skipped.turn);
    assert_int_equal(cert->slot, e->u.skipped.slot);
    assert_int_equal(certificate_check_form(&w->epoch, cert), OK);
}

/* Nobody honest is ever banned. */
void oracle_ban(struct world *w, int a, const struct effect *e)
{
    if (!w->member[e->u.ban.member].possessed) {
        fail_msg("member %d bans honest member %d: %s", a, e->u.ban.member, e->u.ban.why);
    }
}
