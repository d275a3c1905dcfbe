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
    world_push(w, (struct world_event){.at = w->now + s->sync_us, .kind = W_DURABLE, .to = a,
                                       .incarnation = s->incarnation, .value = t->sequence});
}

void disk_lose_unsynced(struct world *w, int a)
{
    struct member_state *s = &w->member[a];
    struct disk *d = &s->disk;
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
    s->persisted = sequence;
}
