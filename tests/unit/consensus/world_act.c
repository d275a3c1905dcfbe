#define _GNU_SOURCE
#include <sys/mman.h>

/* What tests do to the world, say in it and see of it. */
#include "tests/unit/consensus/world_internal.h"

/* ---- faults ------------------------------------------------------------------------------------------------ */

uint64_t world_now(const struct world *w)
{
    return w->now;
}

void world_cut(struct world *w, int a, int b, bool cut)
{
    w->cut[a][b] = w->cut[b][a] = cut;
}

void world_isolate(struct world *w, int a, bool cut)
{
    for (int i = 0; i < (int)w->o.n; i++) {
        if (i != a) {
            world_cut(w, a, i, cut);
        }
    }
}

void world_crash(struct world *w, int a, bool power)
{
    struct member_state *s = &w->member[a];
    s->up = false;
    s->incarnation++;
    munmap(s->memory, s->memory_size);
    s->memory = NULL;
    s->core = NULL;
    memset(s->asked, 0, BLOCKS_MAX);
    memset(s->executed, 0, BLOCKS_MAX);
    if (power) {
        disk_lose_unsynced(w, a);
    }
    for (int i = 0; !power && i < (int)w->o.n; i++) {
        if (i != a && w->member[i].up && !w->cut[a][i]) {
            world_push(w, (struct world_event){.at = w->now + 3 * w->o.link_us, .kind = W_PEER, .to = i, .from = a,
                                               .incarnation = w->member[i].incarnation, .flag = false});
        }
    }
}

void world_restart(struct world *w, int a)
{
    assert_false(w->member[a].up);
    world_boot(w, a);
}

void world_pause(struct world *w, int a, bool paused)
{
    w->member[a].paused = paused;
}

void world_hang_client(struct world *w, int a, bool hung)
{
    struct member_state *s = &w->member[a];
    s->silent_since = w->now;
    s->hung = hung;
    if (!hung) {
        world_health(w, a);
        for (uint32_t i = 0; i < w->blocks; i++) {
            if (s->asked[i]) {
                world_run_client(w, a, i);
            }
        }
    }
}

void world_noise(struct world *w, uint64_t jitter_us, uint32_t loss, uint32_t twice)
{
    w->jitter_us = jitter_us;
    w->loss = loss;
    w->twice = twice;
}

void world_speed(struct world *w, int a, uint64_t execute_us, uint64_t build_us, uint64_t sync_us)
{
    w->member[a].execute_us = execute_us;
    w->member[a].build_us = build_us;
    w->member[a].sync_us = sync_us;
}

void world_withhold(struct world *w, bool withholds)
{
    w->withholds = withholds;
}

void world_listen(struct world *w, void (*hears)(void *arg, int z, int from, const struct message *m), void *arg)
{
    w->hears = hears;
    w->hears_arg = arg;
}

void world_fail_disk(struct world *w, int a, bool failing)
{
    w->member[a].failing = failing;
}

void world_copy_disk(struct world *w, int a)
{
    struct member_state *s = &w->member[a];
    s->copy.steps = s->disk.steps;
    s->copy.head_height = s->head_height;
    s->copy.head_slot = s->head_slot;
    s->copy.head_block = s->head_block;
    s->copy.head_cert = s->head_cert;
    memcpy(s->copy.bench, s->bench, sizeof s->bench);
    s->copy.bench_len = s->bench_len;
}

/* Journal, final head and benching as they were; what the oracle knows of this key stays. */
void world_restore_copy(struct world *w, int a)
{
    struct member_state *s = &w->member[a];
    assert_false(s->up);
    while (s->disk.steps > s->copy.steps) {
        free(s->disk.step[--s->disk.steps].cert);
    }
    s->disk.forgot = true;
    s->head_height = s->copy.head_height;
    s->head_slot = s->copy.head_slot;
    s->head_block = s->copy.head_block;
    s->head_cert = s->copy.head_cert;
    memcpy(s->bench, s->copy.bench, sizeof s->bench);
    s->bench_len = s->copy.bench_len;
}

void world_prune(struct world *w, int a)
{
    struct member_state *s = &w->member[a];
    uint32_t kept = 0;
    for (uint32_t k = 0; k < s->disk.steps; k++) {
        struct disk_step *t = &s->disk.step[k];
        bool above = false;
        for (uint32_t i = 0; i < t->votes; i++) {
            above |= t->vote[i].slot > s->head_slot;
        }
        if (above) {
            s->disk.step[kept++] = *t;
        } else {
            free(t->cert);
        }
    }
    s->disk.steps = kept;
}

void world_lose_disk(struct world *w, int a)
{
    disk_lose_all(w, a);
}

void world_invalid(struct world *w, int a, bool calls_invalid)
{
    w->member[a].invalid = calls_invalid;
}

void world_drain(struct world *w, int a, bool draining)
{
    w->member[a].draining = draining;
    world_health(w, a);
}

void world_leave(struct world *w, int a, bool leaving)
{
    w->member[a].leaving = leaving;
    world_drain(w, a, leaving);
}

void world_starve(struct world *w, int a)
{
    struct event ev = {.kind = EVENT_STARVING, .peer = -1, .u.starving_turn = world_view(w, a).turn};
    world_step(w, a, &ev);
}

void world_pending(struct world *w, int a, bool pending)
{
    w->member[a].pending = pending;
    world_health(w, a);
}

void world_filter(struct world *w, bool (*drops)(void *arg, int from, int to, const struct message *m), void *arg)
{
    w->drops = drops;
    w->drops_arg = arg;
}

void world_possess(struct world *w, int a, bool possessed)
{
    w->member[a].possessed = possessed;
    w->member[a].lied |= possessed;
}

/* ---- speaking for a possessed member -------------------------------------------------------------------- */

void world_send(struct world *w, int from, int to, const struct message *m)
{
    size_t cap = message_size(m);
    uint8_t *frame = malloc(cap);
    size_t n = 0;
    assert_non_null(frame);
    assert_int_equal(message_encode(frame, cap, &n, m), OK);
    world_post_all(w, from, to, frame, n);
    free(frame);
}

void world_send_vote(struct world *w, int from, int to, uint8_t kind, uint64_t slot, const struct hash *block)
{
    struct vote v = {.kind = kind, .signer = (uint8_t)from, .epoch = 0, .slot = slot};
    if (block != NULL) {
        v.block = *block;
    }
    struct hash digest = vote_digest(&w->epoch, kind, slot, &v.block);
    world_sign(&v.signature, &w->epoch.member[from].address, &digest);
    struct message m = {.kind = MSG_VOTES};
    m.u.bundle.vote = &v;
    m.u.bundle.votes = 1;
    world_send(w, from, to, &m);
}

void world_show_foreign_vote(struct world *w, int a, uint64_t slot, const struct hash *block)
{
    struct vote v = {.kind = VOTE_NOTARIZE, .signer = (uint8_t)a, .slot = slot, .block = *block};
    struct hash digest = vote_digest(&w->epoch, v.kind, slot, &v.block);
    world_sign(&v.signature, &w->epoch.member[a].address, &digest);
    struct message m = {.kind = MSG_OWN_VOTES};
    m.u.bundle.vote = &v;
    m.u.bundle.votes = 1;
    world_send(w, (a + 1) % (int)w->o.n, a, &m);
}

struct block_head world_anchor(struct world *w)
{
    struct block_head head = {.header = w->anchor};
    head.hash = header_hash(&head.header);
    return head;
}

struct ready_notice world_ready(struct world *w, int member, uint64_t slot, const struct hash *block)
{
    struct ready_notice r = {.epoch = w->epoch.epoch, .member = (uint8_t)member, .slot = slot, .block = *block};
    struct hash digest = ready_digest(&w->epoch, &r);
    world_sign(&r.signature, &w->epoch.member[member].address, &digest);
    return r;
}

struct leave_notice world_leave_notice(struct world *w, int member, uint64_t from_turn)
{
    struct leave_notice l = {.epoch = w->epoch.epoch, .member = (uint8_t)member, .from_turn = from_turn};
    struct hash digest = leave_digest(&w->epoch, &l);
    world_sign(&l.signature, &w->epoch.member[member].address, &digest);
    return l;
}

struct evidence world_evidence_of(struct world *w, int member, uint64_t slot, uint8_t first_kind, uint8_t second_kind,
                                  const struct hash *first, const struct hash *second)
{
    struct evidence e = {.member = (uint8_t)member, .slot = slot, .first_kind = first_kind, .second_kind = second_kind,
                         .first = *first, .second = *second};
    struct hash digest = evidence_digest(&w->epoch, &e, false);
    world_sign(&e.first_signature, &w->epoch.member[member].address, &digest);
    digest = evidence_digest(&w->epoch, &e, true);
    world_sign(&e.second_signature, &w->epoch.member[member].address, &digest);
    evidence_sort(&e);
    w->member[member].lied = true;
    return e;
}

struct block_head world_make_block_with(struct world *w, int from, uint64_t slot, const struct block_head *parent, uint8_t flags,
                                        uint8_t twist, const struct system_parts *parts)
{
    static uint8_t system[SYSTEM_MAX];
    size_t n = 0;
    assert_int_equal(system_encode(system, sizeof system, &n, parts), OK);
    const struct header *p = &parent->header;
    struct block_head head = {.system = bytes_of(system, n)};
    struct header *h = &head.header;
    *h = (struct header){.chain_id = w->epoch.chain_id, .genesis = w->epoch.genesis, .config = w->epoch.hash,
                         .slot = slot, .flags = flags, .parent_slot = p->slot, .parent = parent->hash,
                         .height = p->height + 1, .timestamp_ms = p->timestamp_ms + w->o.block_time_ms,
                         .leader = (uint8_t)from, .payload_parent = p->payload, .body_len = 64};
    uint8_t seed[41] = {0};
    memcpy(seed, parent->hash.b, 32);
    store_be64(seed + 32, slot);
    seed[40] = twist;
    h->payload = keccak256(seed, sizeof seed);
    h->state_root = keccak256(h->payload.b, 32);
    h->body_root = keccak256(seed, 16);
    h->system_root = keccak256(system, n);
    if ((flags & FLAG_EMPTY) != 0) {
        h->height = p->height;
        h->payload = p->payload;
        h->state_root = p->state_root;
        h->body_root = keccak256("", 0);
        h->body_len = 0;
    }
    head.hash = header_hash(h);
    struct hash digest = propose_digest(&w->epoch, slot, 0, &head.hash);
    world_sign(&head.signature, &w->epoch.member[from].address, &digest);
    w->member[from].has_body[world_block_add(w, &head)] = 1;
    return head;
}

struct block_head world_make_block_over(struct world *w, int from, uint64_t slot, const struct block_head *parent, uint8_t flags,
                                        uint8_t twist, const struct skipped_turn *skipped, size_t skipped_n)
{
    struct system_parts parts = {.skipped = skipped, .skipped_n = skipped_n};
    return world_make_block_with(w, from, slot, parent, flags, twist, &parts);
}

struct block_head world_make_block(struct world *w, int from, uint64_t slot, const struct block_head *parent, uint8_t flags, uint8_t twist)
{
    return world_make_block_over(w, from, slot, parent, flags, twist, NULL, 0);
}

void world_send_proposal(struct world *w, int from, int to, const struct block_head *head, const struct bundle *justification)
{
    struct message m = {.kind = MSG_PROPOSAL};
    m.u.proposal.head = *head;
    if (justification != NULL) {
        m.u.proposal.justification = *justification;
    }
    world_send(w, from, to, &m);
}

/* ---- looking ------------------------------------------------------------------------------------------------ */

struct core_view world_view(struct world *w, int a)
{
    struct core_view v;
    core_get_view(w->member[a].core, &v);
    return v;
}

int world_leader(struct world *w, uint64_t turn)
{
    for (uint32_t i = 0; i < w->o.n; i++) {
        if (w->member[i].up) {
            return core_leader(w->member[i].core, turn);
        }
    }
    return -1;
}

uint64_t world_height(struct world *w, int a)
{
    return w->member[a].head_height;
}

bool world_final_at(struct world *w, uint64_t slot, struct block_head *out)
{
    if (slot >= SLOTS || w->final_at[slot] == 0) {
        return false;
    }
    *out = w->block[w->final_at[slot] - 1].head;
    return true;
}

uint64_t world_skips(struct world *w)
{
    return w->skips;
}

uint64_t world_own_skips(struct world *w, int reason)
{
    return w->own_skips[reason];
}

uint64_t world_evidence(struct world *w, int member)
{
    return w->evidence[member];
}

uint64_t world_alarms(struct world *w, enum alarm_kind what)
{
    return w->alarms[what];
}

uint64_t world_bans(struct world *w)
{
    return w->bans;
}

bool world_signed(struct world *w, int a, uint8_t kind, uint64_t slot)
{
    return w->member[a].signed_kind[kind - 1][slot] != 0;
}

uint64_t world_carried(struct world *w, int what)
{
    return w->carried[what];
}

uint64_t world_frames(struct world *w)
{
    return w->frames;
}

uint64_t world_gap(struct world *w)
{
    uint64_t gap = w->longest_gap > w->now - w->top_at ? w->longest_gap : w->now - w->top_at;
    w->longest_gap = 0;
    w->top_at = w->now;
    return gap;
}

struct epoch_config *world_epoch(struct world *w)
{
    return &w->epoch;
}

bool world_up(struct world *w, int a)
{
    return w->member[a].up;
}

uint32_t world_last_max_txs(struct world *w)
{
    return w->last_max_txs;
}
