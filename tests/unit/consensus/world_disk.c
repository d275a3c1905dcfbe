/* The simulated disk of a member: steps in order, durable after a while, the rest lost with the
 * power; and the restart from what is durable. */
#include "tests/unit/consensus/world_internal.h"

void disk_write(struct world *w, int a, const struct effect *e)
{
    struct member_state *s = &w->member[a];
    struct disk *d = &s->disk;
    if (d->steps == d->cap) {
        d->cap = d->cap == 0 ? 256 : 2 * d->cap;
        d->step = realloc(d->step, d->cap * sizeof *d->step);
        assert_non_null(d->step);
    }
    struct disk_step *t = &d->step[d->steps];
    memset(t, 0, sizeof *t);
    t->sequence = e->u.persist.sequence;
    t->proposing = e->u.persist.proposing;
    t->proposing_turn = e->u.persist.proposing_turn;
    t->votes = e->u.persist.votes;
    memcpy(t->vote, e->u.persist.vote, t->votes * sizeof *t->vote);
    t->certs = e->u.persist.certs;
    t->cert = calloc(t->certs + 1, sizeof *t->cert);
    assert_non_null(t->cert);
    for (uint32_t i = 0; i < t->certs; i++) {
        t->cert[i] = *e->u.persist.cert[i];
    }
    if (e->u.persist.cleared) {
        d->amnesiac = false;
        d->floor = e->u.persist.clearing_slot;
    }
    if (s->failing) {
        free(t->cert);
        struct event ev = {.kind = EVENT_WRITE_FAILED, .peer = -1};
        struct effects *keep = w->effects;
        w->effects = malloc(sizeof *w->effects);
        assert_non_null(w->effects);
        world_step(w, a, &ev);
        free(w->effects);
        w->effects = keep;
        return;
    }
    d->steps++;
    s->submitted = t->sequence;
    world_push(w, (struct world_event){.at = w->now + s->sync_us, .kind = W_DURABLE, .to = a,
                                       .incarnation = s->incarnation, .value = t->sequence});
}

/* Bodies and heads of blocks go to disk as they arrive; the next synced write makes them durable. */
void disk_body(struct world *w, int a, uint32_t block)
{
    struct member_state *s = &w->member[a];
    if (!s->has_body[block]) {
        s->has_body[block] = 1;
        s->body_gate[block] = s->submitted + 1;
    }
}

/* The head delivered last, on its way to the disk. */
void disk_head(struct world *w, int a)
{
    struct member_state *s = &w->member[a];
    struct disk_head *h = &s->head_log[s->heads++ % HEAD_LOG];
    *h = (struct disk_head){.gate = s->submitted + 1, .height = s->head_height, .slot = s->head_slot, .block = s->head_block,
                            .cert = s->head_cert, .bench_len = s->bench_len};
    memcpy(h->bench, s->bench, s->bench_len);
}

static void back_to_genesis(struct member_state *s)
{
    s->head_block = BLOCKS_MAX;
    s->head_height = s->head_slot = 0;
    s->bench_len = 0;
    s->heads = 0;
}

static void back_to_durable_head(struct member_state *s)
{
    while (s->heads > 0) {
        const struct disk_head *h = &s->head_log[(s->heads - 1) % HEAD_LOG];
        if (h->gate <= s->persisted) {
            s->head_block = h->block;
            s->head_height = h->height;
            s->head_slot = h->slot;
            s->head_cert = h->cert;
            memcpy(s->bench, h->bench, h->bench_len);
            s->bench_len = h->bench_len;
            return;
        }
        s->heads--;
    }
    back_to_genesis(s);
}

void disk_lose_all(struct world *w, int a)
{
    struct member_state *s = &w->member[a];
    memset(s->has_body, 0, BLOCKS_MAX);
    memset(s->stored, 0, BLOCKS_MAX);
    back_to_genesis(s);
    s->disk.lost = true;
    s->disk.amnesiac = true;
}

void disk_lose_unsynced(struct world *w, int a)
{
    struct member_state *s = &w->member[a];
    struct disk *d = &s->disk;
    for (uint32_t i = 0; i < w->blocks; i++) {
        if (s->body_gate[i] > s->persisted) {
            s->has_body[i] = 0;
            s->stored[i] = 0;
        }
        s->body_gate[i] = 0;
    }
    back_to_durable_head(s);
    while (d->steps > 0 && !d->step[d->steps - 1].durable) {
        struct disk_step *t = &d->step[--d->steps];
        /* These votes never left: the oracle forgets them too. */
        for (uint32_t i = 0; i < t->votes; i++) {
            s->signed_kind[t->vote[i].kind - 1][t->vote[i].slot] = 0;
        }
        free(t->cert);
    }
}

static void restore_head(struct world *w, int a)
{
    struct member_state *s = &w->member[a];
    if (s->head_block == BLOCKS_MAX) {
        return;
    }
    struct core_restored_final f = {.head = &w->block[s->head_block].head, .cert = &s->head_cert, .executed = true,
                                    .bench = s->bench, .bench_len = s->bench_len};
    assert_int_equal(core_restore_final(s->core, &f), OK);
}

void disk_restore(struct world *w, int a)
{
    struct member_state *s = &w->member[a];
    struct disk *d = &s->disk;
    restore_head(w, a);
    if (d->lost) {
        for (uint32_t k = 0; k < d->steps; k++) {
            free(d->step[k].cert);
        }
        d->steps = 0;
        d->lost = false;
        d->forgot = true;
    }
    for (uint32_t i = 0; i < w->blocks; i++) {
        if (s->stored[i]) {
            assert_int_equal(core_restore_block(s->core, &w->block[i].head, s->has_body[i]), OK);
        }
    }
    uint64_t sequence = 0;
    for (uint32_t k = 0; k < d->steps; k++) {
        struct disk_step *t = &d->step[k];
        t->durable = true; /* what survived a kill is synced before it is read */
        for (uint32_t i = 0; i < t->certs; i++) {
            assert_int_equal(core_restore_certificate(s->core, &t->cert[i]), OK);
        }
        for (uint32_t i = 0; i < t->votes; i++) {
            assert_int_equal(core_restore_vote(s->core, &t->vote[i]), OK);
        }
        if (t->proposing) {
            core_restore_proposing(s->core, t->proposing_turn);
        }
        sequence = t->sequence;
    }
    core_restore_sequence(s->core, sequence);
    core_restore_floor(s->core, d->floor);
    s->persisted = s->submitted = sequence;
    for (uint32_t i = 0; i < s->heads && i < HEAD_LOG; i++) {
        s->head_log[i].gate = 0;
    }
    memset(s->body_gate, 0, BLOCKS_MAX * sizeof *s->body_gate);
}
