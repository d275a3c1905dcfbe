#define _GNU_SOURCE
#include <sys/mman.h>

#include "tests/unit/consensus/world_internal.h"

/* ---- keys: a keyed hash stands for a signature, so that a million are cheap ------------------------- */

static struct hash tag_of(const struct address *a, const struct hash *digest)
{
    uint8_t both[52];
    memcpy(both, a->b, 20);
    memcpy(both + 20, digest->b, 32);
    return keccak256(both, sizeof both);
}

void world_sign(struct signature *out, const struct address *a, const struct hash *digest)
{
    struct hash tag = tag_of(a, digest);
    memcpy(out->b, a->b, 20);
    memset(out->b + 20, 0, 12);
    memcpy(out->b + 32, tag.b, 32);
    out->b[64] = 27;
}

static bool core_sign(void *ctx, struct signature *out, const struct hash *digest)
{
    world_sign(out, ctx, digest);
    return true;
}

static bool core_recover(void *ctx, struct address *out, const struct signature *sig, const struct hash *digest)
{
    (void)ctx;
    memcpy(out->b, sig->b, 20);
    struct hash tag = tag_of(out, digest);
    return memcmp(tag.b, sig->b + 32, 32) == 0;
}

/* ---- time ------------------------------------------------------------------------------------------------ */

static bool earlier(const struct world_event *a, const struct world_event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void world_push(struct world *w, struct world_event e)
{
    if (w->events == w->heap_cap) {
        w->heap_cap = w->heap_cap == 0 ? 1024 : 2 * w->heap_cap;
        w->heap = realloc(w->heap, w->heap_cap * sizeof *w->heap);
        assert_non_null(w->heap);
    }
    e.order = w->order++;
    uint32_t i = w->events++;
    while (i > 0 && earlier(&e, &w->heap[(i - 1) / 2])) {
        w->heap[i] = w->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    w->heap[i] = e;
}

static struct world_event pop(struct world *w)
{
    struct world_event top = w->heap[0];
    struct world_event last = w->heap[--w->events];
    uint32_t i = 0;
    for (;;) {
        uint32_t c = 2 * i + 1;
        if (c >= w->events) {
            break;
        }
        if (c + 1 < w->events && earlier(&w->heap[c + 1], &w->heap[c])) {
            c++;
        }
        if (!earlier(&w->heap[c], &last)) {
            break;
        }
        w->heap[i] = w->heap[c];
        i = c;
    }
    w->heap[i] = last;
    return top;
}

static uint64_t wall_ms(const struct world *w)
{
    return 1700000000000 + w->now / MS;
}

/* ---- blocks ------------------------------------------------------------------------------------------------ */

uint32_t world_block_index(struct world *w, const struct hash *hash)
{
    for (uint32_t i = w->blocks; i-- > 0;) {
        if (hash_equal(&w->block[i].head.hash, hash)) {
            return i;
        }
    }
    return BLOCKS_MAX;
}

uint32_t world_block_add(struct world *w, const struct block_head *head)
{
    uint32_t i = world_block_index(w, &head->hash);
    if (i != BLOCKS_MAX) {
        return i;
    }
    assert_true(w->blocks < BLOCKS_MAX);
    struct world_block *b = &w->block[w->blocks];
    assert_true(head->system.n <= sizeof b->system);
    b->head = *head;
    memcpy(b->system, head->system.p, head->system.n);
    b->head.system = bytes_of(b->system, head->system.n);
    return w->blocks++;
}

/* ---- effects --------------------------------------------------------------------------------------------- */

static bool member_can(const struct world *w, int a, uint64_t incarnation)
{
    return w->member[a].up && w->member[a].incarnation == incarnation;
}

static uint64_t roll(struct world *w, uint64_t n)
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return n == 0 ? 0 : (w->random >> 33) % n;
}

static void post_copy(struct world *w, int from, int to, const uint8_t *frame, size_t n)
{
    uint64_t jitter = roll(w, w->o.link_us / 20 + 2) + roll(w, w->jitter_us + 1);
    struct world_event e = {.at = w->now + w->o.link_us + jitter, .kind = W_DELIVER, .to = to, .from = from,
                            .incarnation = w->member[to].incarnation, .frame = malloc(n), .frame_len = n};
    assert_non_null(e.frame);
    memcpy(e.frame, frame, n);
    w->frames++;
    world_push(w, e);
}

static void post(struct world *w, int from, int to, const uint8_t *frame, size_t n)
{
    bool gone = w->cut[from][to] || !w->member[to].up;
    if (!gone && w->drops != NULL) {
        struct message m;
        assert_int_equal(message_decode(&m, &w->post_arena, bytes_of(frame, n)), OK);
        gone = w->drops(w->drops_arg, from, to, &m);
        message_arena_reset(&w->post_arena);
    }
    if (gone || roll(w, 1000) < w->loss) {
        return;
    }
    post_copy(w, from, to, frame, n);
    if (roll(w, 1000) < w->twice) {
        post_copy(w, from, to, frame, n);
    }
}

void world_post_all(struct world *w, int from, int to, const uint8_t *frame, size_t n)
{
    for (int i = 0; i < (int)w->o.n; i++) {
        if (i != from && (to == SEND_ALL || to == i)) {
            post(w, from, i, frame, n);
        }
    }
}

static void on_send(struct world *w, int a, const struct effect *e)
{
    oracle_send(w, a, e);
    if (w->member[a].possessed) {
        return;
    }
    const struct message *m = e->u.send.message;
    size_t cap = message_size(m);
    uint8_t *frame = malloc(cap);
    size_t n = 0;
    assert_non_null(frame);
    assert_int_equal(message_encode(frame, cap, &n, m), OK);
    if (m->kind == MSG_PROPOSAL) {
        uint32_t i = world_block_add(w, &m->u.proposal.head);
        disk_body(w, a, i);
    }
    if (e->u.send.gate <= w->member[a].persisted) {
        world_post_all(w, a, e->u.send.to, frame, n);
        free(frame);
        return;
    }
    if (w->gated_n == w->gated_cap) {
        w->gated_cap = w->gated_cap == 0 ? 256 : 2 * w->gated_cap;
        w->gated = realloc(w->gated, w->gated_cap * sizeof *w->gated);
        assert_non_null(w->gated);
    }
    w->gated[w->gated_n++] = (struct gated){a, e->u.send.to, e->u.send.gate, w->member[a].incarnation, frame, n};
}

static void release_gated(struct world *w, int a)
{
    uint32_t kept = 0;
    uint32_t n = w->gated_n;
    for (uint32_t i = 0; i < n; i++) {
        struct gated g = w->gated[i];
        bool stale = g.from == a && g.incarnation != w->member[a].incarnation;
        if (g.from == a && !stale && g.gate <= w->member[a].persisted) {
            world_post_all(w, a, g.to, g.frame, g.frame_len);
            free(g.frame);
        } else if (stale) {
            free(g.frame);
        } else {
            w->gated[kept++] = g;
        }
    }
    w->gated_n = kept;
}

static void on_build(struct world *w, int a, const struct effect *e)
{
    struct built_payload p = {.ok = true, .build = e->u.build.number, .body_len = 64, .txs = 1};
    uint8_t seed[80];
    memcpy(seed, e->u.build.parent.b, 32);
    memcpy(seed + 32, e->u.build.payload_parent.b, 32);
    store_be64(seed + 64, e->u.build.timestamp_ms);
    store_be64(seed + 72, (uint64_t)a);
    p.payload = keccak256(seed, sizeof seed);
    p.state_root = keccak256(p.payload.b, 32);
    p.body_root = keccak256(seed, 64);
    w->last_max_txs = e->u.build.max_txs;
    uint64_t most = e->u.build.max_txs == 0 ? LIMIT_BODY_TXS : e->u.build.max_txs;
    p.txs = w->o.build_us_per_tx == 0 ? 1 : (uint32_t)most;
    uint64_t takes = w->member[a].build_us + most * w->o.build_us_per_tx;
    if (!w->member[a].hung) {
        world_push(w, (struct world_event){.at = w->now + takes, .kind = W_BUILT, .to = a,
                                           .incarnation = w->member[a].incarnation, .built = p});
    }
}

void world_run_client(struct world *w, int a, uint32_t i)
{
    w->member[a].asked[i] = 1;
    if (!w->member[a].hung) {
        world_push(w, (struct world_event){.at = w->now + w->member[a].execute_us, .kind = W_EXECUTED, .to = a,
                                           .incarnation = w->member[a].incarnation, .block = i});
    }
}

/* An answer to a fetch: head and body, from a peer that has both. */
static void on_fetch(struct world *w, int a, const struct effect *e)
{
    int peer = e->u.fetch.peer;
    uint32_t i = world_block_index(w, &e->u.fetch.block);
    const struct member_state *s = &w->member[peer];
    if (i == BLOCKS_MAX || w->cut[a][peer] || !s->up || s->paused || (s->possessed && w->withholds)) {
        return;
    }
    bool empty = (w->block[i].head.header.flags & FLAG_EMPTY) != 0;
    if (!s->has_body[i] && !(empty && s->stored[i])) {
        return;
    }
    struct message m = {.kind = MSG_BLOCK, .u.block = {.head = w->block[i].head}};
    static const uint8_t body[64];
    m.u.block.body = bytes_of(body, m.u.block.head.header.body_len);
    world_send(w, peer, a, &m);
}

static void on_effect(struct world *w, int a, const struct effect *e)
{
    struct member_state *s = &w->member[a];
    switch (e->kind) {
    case EFFECT_PERSIST:
        oracle_persist(w, a, e);
        disk_write(w, a, e);
        break;
    case EFFECT_SEND:
        on_send(w, a, e);
        break;
    case EFFECT_BUILD:
        on_build(w, a, e);
        break;
    case EFFECT_EXECUTE:
        world_run_client(w, a, world_block_index(w, &e->u.execute.block));
        break;
    case EFFECT_FETCH:
        on_fetch(w, a, e);
        break;
    case EFFECT_STORE:
        s->stored[world_block_add(w, e->u.store.head)] = 1;
        s->body_gate[world_block_add(w, e->u.store.head)] = s->submitted + 1;
        break;
    case EFFECT_FINAL:
        oracle_final(w, a, e);
        break;
    case EFFECT_SKIPPED:
        oracle_skipped(w, e);
        w->skips++;
        break;
    case EFFECT_BAN:
        oracle_ban(w, a, e);
        w->bans++;
        break;
    case EFFECT_EVIDENCE:
        w->evidence[e->u.evidence.member]++;
        break;
    case EFFECT_ALARM:
        w->alarms[e->u.alarm.what]++;
        break;
    case EFFECT_CANCEL:
    case EFFECT_NOTARIZED:
    case EFFECT_ENTERED:
        break;
    }
}

void world_step(struct world *w, int a, const struct event *ev)
{
    struct member_state *s = &w->member[a];
    struct event e = *ev;
    e.now_us = w->now;
    e.wall_ms = wall_ms(w);
    core_step(s->core, &e, w->effects);
    for (uint32_t i = 0; i < w->effects->n; i++) {
        on_effect(w, a, &w->effects->effect[i]);
    }
    uint64_t at = core_deadline(s->core);
    if (at != UINT64_MAX) {
        at = at < w->now ? w->now : at;
        if (s->tick_at <= w->now || at < s->tick_at) {
            s->tick_at = at;
            world_push(w, (struct world_event){.at = at, .kind = W_TICK, .to = a, .incarnation = s->incarnation});
        }
    }
}

void world_health(struct world *w, int a)
{
    struct member_state *s = &w->member[a];
    struct event ev = {.kind = EVENT_HEALTH, .peer = -1};
    ev.u.health.not_ready = s->hung && w->now - s->silent_since > 1000 * MS ? NOT_READY_CLIENT : 0;
    ev.u.health.pending = s->pending;
    ev.u.health.draining = s->draining;
    ev.u.health.leaving = s->leaving;
    ev.u.health.client_silent_us = s->hung ? w->now - s->silent_since : 0;
    world_step(w, a, &ev);
}

/* ---- events ------------------------------------------------------------------------------------------------ */

static void give_body(struct world *w, int a, const struct hash *hash)
{
    uint32_t i = world_block_index(w, hash);
    disk_body(w, a, i);
    struct event ev = {.kind = EVENT_BODY, .peer = -1};
    ev.u.body.block = *hash;
    ev.u.body.ok = true;
    world_step(w, a, &ev);
}

static void deliver(struct world *w, const struct world_event *e)
{
    struct message m;
    assert_int_equal(message_decode(&m, &w->arena, bytes_of(e->frame, e->frame_len)), OK);
    struct event ev = {.kind = EVENT_MESSAGE, .peer = e->from};
    ev.u.message = &m;
    if (w->member[e->to].possessed && w->hears != NULL) {
        w->hears(w->hears_arg, e->to, e->from, &m);
    }
    if (!w->member[e->to].possessed) {
        world_step(w, e->to, &ev);
        if (m.kind == MSG_PROPOSAL && (m.u.proposal.head.header.flags & FLAG_EMPTY) == 0) {
            give_body(w, e->to, &m.u.proposal.head.hash);
        } else if (m.kind == MSG_BLOCK) {
            give_body(w, e->to, &m.u.block.head.hash);
        }
        for (uint32_t i = 0; m.kind == MSG_BLOCKS && i < m.u.blocks.blocks; i++) {
            if ((m.u.blocks.block[i].head.header.flags & FLAG_EMPTY) == 0) {
                give_body(w, e->to, &m.u.blocks.block[i].head.hash);
            }
        }
    }
    message_arena_reset(&w->arena);
}

static void durable(struct world *w, int a, uint64_t sequence)
{
    struct member_state *s = &w->member[a];
    for (uint32_t i = 0; i < s->disk.steps; i++) {
        if (s->disk.step[i].sequence <= sequence) {
            s->disk.step[i].durable = true;
        }
    }
    s->persisted = sequence;
    release_gated(w, a);
    struct event ev = {.kind = EVENT_PERSISTED, .peer = -1};
    ev.u.persisted = sequence;
    world_step(w, a, &ev);
}

static void executed(struct world *w, int a, uint32_t i)
{
    struct event ev = {.kind = EVENT_EXECUTED, .peer = -1};
    ev.u.executed.block = w->block[i].head.hash;
    ev.u.executed.verdict = w->member[a].invalid ? VERDICT_INVALID : VERDICT_VALID;
    ev.u.executed.took_us = w->member[a].execute_us;
    w->member[a].executed[i] = 1;
    w->member[a].asked[i] = 0;
    world_step(w, a, &ev);
}

/* What the driver does for a member that is far behind: a range of final blocks, from a peer that
 * shows more, with a certificate of the last. */
static void sync_range(struct world *w, int a)
{
    struct member_state *s = &w->member[a];
    int peer = -1;
    for (int i = 0; i < (int)w->o.n && peer < 0; i++) {
        const struct member_state *p = &w->member[i];
        bool here = i != a && p->up && !p->paused && !p->possessed && !w->cut[a][i];
        peer = here && p->head_slot > s->head_slot + 2 * w->o.depth ? i : -1;
    }
    if (peer < 0 || w->now < s->sync_at) {
        return;
    }
    s->sync_at = w->now + 4 * w->o.link_us + 5 * MS;
    static struct block list[LIMIT_SYNC_BLOCKS];
    static const uint8_t body[64];
    struct message m = {.kind = MSG_BLOCKS, .u.blocks.block = list};
    uint32_t count = 0;
    for (uint64_t slot = s->head_slot + 1; slot <= w->member[peer].head_slot && count < LIMIT_SYNC_BLOCKS; slot++) {
        if (w->final_at[slot] == 0) {
            continue;
        }
        list[count].head = w->block[w->final_at[slot] - 1].head;
        list[count].body = bytes_of(body, list[count].head.header.body_len);
        count++;
        if (w->final_cert[slot] != NULL) {
            m.u.blocks.blocks = count;
            m.u.blocks.proof = (struct bundle){.cert = w->final_cert[slot], .certs = 1};
        }
    }
    if (m.u.blocks.blocks > 0) {
        world_send(w, peer, a, &m);
    }
}

static void handle(struct world *w, struct world_event *e)
{
    struct member_state *s = &w->member[e->to];
    if (!member_can(w, e->to, e->incarnation)) {
        return;
    }
    if (s->paused) {
        struct world_event later = *e;
        later.at = w->now + 5 * MS;
        later.late = true;
        e->frame = NULL;
        world_push(w, later);
        return;
    }
    struct event ev = {.kind = EVENT_TICK, .peer = -1};
    switch (e->kind) {
    case W_DELIVER:
        deliver(w, e);
        break;
    case W_TICK:
        if (e->at == s->tick_at || s->tick_at <= w->now) {
            ev.late_us = w->now > s->tick_at ? w->now - s->tick_at : 0;
            s->tick_at = UINT64_MAX;
            if (s->hung || s->draining || s->pending) {
                world_health(w, e->to);
            }
            world_step(w, e->to, &ev);
            sync_range(w, e->to);
        }
        break;
    case W_DURABLE:
        durable(w, e->to, e->value);
        break;
    case W_EXECUTED:
        executed(w, e->to, e->block);
        break;
    case W_BUILT:
        ev.kind = EVENT_BUILT;
        ev.u.built = e->built;
        world_step(w, e->to, &ev);
        break;
    case W_PEER:
        if (e->late && !e->flag && w->member[e->from].up) {
            break; /* it has come up since: what waited for a paused member keeps no order */
        }
        ev.kind = EVENT_PEER;
        ev.peer = e->from;
        ev.u.peer.up = e->flag;
        ev.u.peer.reset = !e->flag;
        world_step(w, e->to, &ev);
        ev.kind = EVENT_LATENCY;
        ev.u.latency.one_way_p50_us = w->o.link_us + w->o.link_us / 40;
        ev.u.latency.one_way_p99_us = w->o.link_us + w->o.link_us / 20;
        world_step(w, e->to, &ev);
        break;
    case W_BODY:
        give_body(w, e->to, &w->block[e->block].head.hash);
        break;
    }
}

static bool one_event(struct world *w, uint64_t limit)
{
    if (w->events == 0 || w->heap[0].at > limit) {
        w->now = limit;
        return false;
    }
    struct world_event e = pop(w);
    w->now = e.at > w->now ? e.at : w->now;
    handle(w, &e);
    free(e.frame);
    return true;
}

void world_run(struct world *w, uint64_t us)
{
    uint64_t limit = w->now + us;
    while (one_event(w, limit)) {
    }
}

bool world_until(struct world *w, bool (*done)(struct world *w, void *arg), void *arg, uint64_t limit_us)
{
    uint64_t limit = w->now + limit_us;
    while (!done(w, arg)) {
        if (!one_event(w, limit)) {
            return false;
        }
    }
    return true;
}

static bool all_at_height(struct world *w, void *arg)
{
    uint64_t height = *(uint64_t *)arg;
    for (uint32_t i = 0; i < w->o.n; i++) {
        const struct member_state *s = &w->member[i];
        if (s->up && !s->paused && !s->possessed && s->head_height < height) {
            return false;
        }
    }
    return true;
}

bool world_until_final(struct world *w, uint64_t height, uint64_t limit_us)
{
    return world_until(w, all_at_height, &height, limit_us);
}

/* ---- making ------------------------------------------------------------------------------------------------ */

struct world_options world_defaults(void)
{
    return (struct world_options){.n = 4, .fault_model = FAULT_BFT, .turn_slots = 4, .block_time_ms = 200,
                                  .pace = PACE_FIXED, .max_interval_ms = 200, .depth = 3, .link_us = 1 * MS,
                                  .sync_us = 200, .execute_us = 4 * MS, .build_us = 5 * MS, .seed = 1};
}

static void make_epoch(struct world *w)
{
    struct epoch_config *c = &w->epoch;
    const struct world_options *o = &w->o;
    c->chain_id = 41197;
    c->genesis = keccak256("world", 5);
    c->params = (struct epoch_params){.fault_model = o->fault_model, .pace = o->pace, .turn_slots = o->turn_slots,
                                      .depth = o->depth, .block_time_ms = o->block_time_ms,
                                      .max_interval_ms = o->max_interval_ms, .execute_before_finalize = o->trusting ? 0 : 1,
                                      .gas_limit = 30000000};
    c->n = o->n;
    for (uint32_t i = 0; i < o->n; i++) {
        struct hash h = keccak256(&i, sizeof i);
        memcpy(c->member[i].address.b, h.b, 20);
        c->member[i].weight = o->weight[i] == 0 ? 1 : o->weight[i];
        c->member[i].name[0] = (char)('A' + (int)i);
        c->member[i].endpoint[0] = 'x';
    }
    char why[256];
    assert_int_equal(epoch_config_derive(c, why, sizeof why), OK);
    w->anchor = (struct header){.chain_id = c->chain_id, .genesis = c->genesis, .config = c->hash,
                                .timestamp_ms = 1700000000000, .body_root = keccak256("", 0)};
}

static void connect_all(struct world *w, int a)
{
    for (int i = 0; i < (int)w->o.n; i++) {
        if (i == a || !w->member[i].up) {
            continue;
        }
        uint64_t at = w->now + 3 * w->o.link_us;
        world_push(w, (struct world_event){.at = at, .kind = W_PEER, .to = a, .from = i, .incarnation = w->member[a].incarnation, .flag = true});
        world_push(w, (struct world_event){.at = at, .kind = W_PEER, .to = i, .from = a, .incarnation = w->member[i].incarnation, .flag = true});
    }
}

void world_boot(struct world *w, int a)
{
    struct member_state *s = &w->member[a];
    struct core_config config = {.epoch = w->epoch, .anchor = w->anchor, .self = a, .start_us = w->now};
    store_be64(config.instance, ++s->incarnation);
    config.instance[15] = (uint8_t)a;
    config.observe_until_cleared = s->disk.amnesiac;
    config.ask_before_signing = s->incarnation > 1 && !s->disk.amnesiac;
    config.crypto = (struct core_crypto){&w->epoch.member[a].address, core_sign, core_recover};
    /* Large and mostly untouched: mapped, so that only what is used costs anything. */
    s->memory_size = core_footprint(&config);
    s->memory = mmap(NULL, s->memory_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(s->memory != MAP_FAILED);
    assert_int_equal(core_init(&s->core, s->memory, &config), OK);
    s->up = true;
    s->paused = false;
    s->tick_at = w->now;
    disk_restore(w, a);
    core_start(s->core, w->now, w->effects);
    world_push(w, (struct world_event){.at = w->now, .kind = W_TICK, .to = a, .incarnation = s->incarnation});
    connect_all(w, a);
}

struct world *world_new(const struct world_options *o)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->o = *o;
    w->random = o->seed * 2 + 1;
    w->effects = malloc(sizeof *w->effects);
    w->block = calloc(BLOCKS_MAX, sizeof *w->block);
    assert_true(w->effects != NULL && w->block != NULL);
    make_epoch(w);
    for (uint32_t i = 0; i < o->n; i++) {
        struct member_state *s = &w->member[i];
        s->has_body = calloc(BLOCKS_MAX, 1);
        s->stored = calloc(BLOCKS_MAX, 1);
        s->body_gate = calloc(BLOCKS_MAX, sizeof *s->body_gate);
        s->head_log = calloc(HEAD_LOG, sizeof *s->head_log);
        assert_true(s->body_gate != NULL && s->head_log != NULL);
        s->executed = calloc(BLOCKS_MAX, 1);
        s->asked = calloc(BLOCKS_MAX, 1);
        s->head_block = BLOCKS_MAX;
        s->execute_us = o->execute_us;
        s->build_us = o->build_us;
        s->sync_us = o->sync_us;
        assert_true(s->has_body != NULL && s->stored != NULL && s->executed != NULL && s->asked != NULL);
    }
    w->now = 1000 * MS;
    w->top_at = w->now;
    for (uint32_t i = 0; i < o->n; i++) {
        world_boot(w, (int)i);
    }
    return w;
}

void world_free(struct world *w)
{
    for (uint32_t i = 0; i < w->events; i++) {
        free(w->heap[i].frame);
    }
    for (uint32_t i = 0; i < w->gated_n; i++) {
        free(w->gated[i].frame);
    }
    for (uint32_t i = 0; i < w->o.n; i++) {
        struct member_state *s = &w->member[i];
        for (uint32_t k = 0; k < s->disk.steps; k++) {
            free(s->disk.step[k].cert);
        }
        free(s->disk.step);
        free(s->has_body);
        free(s->stored);
        free(s->body_gate);
        free(s->head_log);
        free(s->executed);
        free(s->asked);
        if (s->memory != NULL) {
            munmap(s->memory, s->memory_size);
        }
    }
    message_arena_free(&w->arena);
    message_arena_free(&w->post_arena);
    for (uint32_t i = 0; i < SLOTS; i++) {
        free(w->final_cert[i]);
    }
    free(w->heap);
    free(w->gated);
    free(w->block);
    free(w->effects);
    free(w);
}

