/* sign.c checks rules N, S and F itself, whatever its callers believe (CONSENSUS 4): where a vote is
 * allowed, each precondition is broken alone, and the vote must be refused; restored, it is made.
 * These tests look into the core, because no caller ever asks for what the rules forbid. */
#include <string.h>

#include "consensus/core.h"
#include "tests/unit/consensus/world_internal.h"

enum { FIRST = 9 }; /* first slot of the third turn of four slots */

/* A member that holds two proposals of a turn and has signed nothing for them. */
struct scene {
    struct world *w;
    struct core *c;
    struct block_record *one, *two; /* at FIRST and FIRST + 1 */
    struct slot_record *at_one, *at_two;
    struct effects out;
};

static void fresh_step(struct scene *s)
{
    s->out.n = 0;
    s->c->out = &s->out;
    s->c->step_votes = 0;
    s->c->step_certs = 0;
    s->c->scratch_used = 0;
}

static struct scene *scene_new(void)
{
    static struct scene scene;
    struct scene *s = &scene;
    struct world_options o = world_defaults();
    memset(s, 0, sizeof *s);
    s->w = world_new(&o);
    int z = world_leader(s->w, 2);
    int a = (z + 1) % 4;
    struct block_head parent;
    while (!world_final_at(s->w, FIRST - 1, &parent) || world_view(s->w, a).slot < FIRST) {
        world_run(s->w, MS);
        assert_true(world_now(s->w) < 60000 * MS);
    }
    world_possess(s->w, z, true);
    for (int other = 0; other < 4; other++) {
        world_cut(s->w, a, other, other != z); /* nobody moves it on */
    }
    s->c = s->w->member[a].core;
    /* It signs nothing by itself, and nothing of it is on its way to the disk any more. */
    for (int ms = 0; ms < 20; ms++) {
        s->c->disk_failed = true;
        world_run(s->w, MS);
    }
    s->c->disk_failed = true;
    assert_int_equal(s->c->pending_own_n, 0);
    struct block_head one = world_make_block(s->w, z, FIRST, &parent, 0, 0);
    struct block_head two = world_make_block(s->w, z, FIRST + 1, &one, 0, 0);
    world_send_proposal(s->w, z, a, &one, NULL);
    world_send_proposal(s->w, z, a, &two, NULL);
    world_run(s->w, 10 * MS);
    s->c->disk_failed = false;
    s->one = block_find(s->c, &one.hash);
    s->two = block_find(s->c, &two.hash);
    assert_non_null(s->one);
    assert_non_null(s->two);
    s->at_one = slot_find(s->c, FIRST);
    s->at_two = slot_find(s->c, FIRST + 1);
    assert_int_equal(s->c->cur, FIRST);
    fresh_step(s);
    return s;
}

static void scene_free(struct scene *s)
{
    world_free(s->w);
}

/* The vote is refused while `place` holds `broken`. */
#define REFUSED_WHILE(call, place, broken)                                                         \
    do {                                                                                           \
        __typeof__(place) kept_ = (place);                                                         \
        (place) = (broken);                                                                        \
        assert_false(call);                                                                        \
        (place) = kept_;                                                                           \
    } while (0)

static void notarize_of_a_first_slot(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    struct block_record *b = s->one;
    struct block_record *p = block_parent(s->c, b);
    REFUSED_WHILE(sign_notarize(s->c, b), b->proposed, false);
    REFUSED_WHILE(sign_notarize(s->c, b), b->form, FORM_UNKNOWN);
    REFUSED_WHILE(sign_notarize(s->c, b), b->head.header.timestamp_ms, UINT64_MAX / 2);
    REFUSED_WHILE(sign_notarize(s->c, b), s->at_one->own[NOTARIZE].kind, VOTE_NOTARIZE);
    REFUSED_WHILE(sign_notarize(s->c, b), s->at_one->own[SKIP].kind, VOTE_SKIP);
    REFUSED_WHILE(sign_notarize(s->c, b), s->c->highest_final, FIRST);
    REFUSED_WHILE(sign_notarize(s->c, b), s->c->cur, FIRST + 1);
    REFUSED_WHILE(sign_notarize(s->c, b), s->c->cur, FIRST - 1);
    REFUSED_WHILE(sign_notarize(s->c, b), s->c->floor_slot, FIRST);
    REFUSED_WHILE(sign_notarize(s->c, b), b->body, BODY_ABSENT);
    REFUSED_WHILE(sign_notarize(s->c, b), b->body, BODY_BAD);
    REFUSED_WHILE(sign_notarize(s->c, b), p->run, RUN_ASKED);
    REFUSED_WHILE(sign_notarize(s->c, b), p->head.header.slot, FIRST - 3); /* a gap of two slots */
    REFUSED_WHILE(sign_notarize(s->c, b), s->c->amnesiac, true);
    REFUSED_WHILE(sign_notarize(s->c, b), s->c->asking, true);
    REFUSED_WHILE(sign_notarize(s->c, b), s->c->stopped, true);
    REFUSED_WHILE(sign_notarize(s->c, b), s->c->disk_failed, true);
    assert_true(sign_notarize(s->c, b));
    assert_false(sign_notarize(s->c, b));
    assert_int_equal(s->c->step_votes, 1);
    scene_free(s);
}

/* The parent of a turn's first slot is proved: notarized, where it is not final. */
static void notarize_over_an_unproved_parent(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    struct block_record *p = block_parent(s->c, s->one);
    if (p == block_root(s->c)) { /* the block below it stands in as the root for a moment */
        uint32_t other = (uint32_t)(s->two - s->c->block);
        uint32_t root = s->c->root;
        s->c->root = other;
        REFUSED_WHILE(sign_notarize(s->c, s->one), p->notarized, false);
        s->c->root = root;
    } else {
        REFUSED_WHILE(sign_notarize(s->c, s->one), p->notarized, false);
    }
    assert_false(s->c->stopped);
    assert_true(sign_notarize(s->c, s->one));
    scene_free(s);
}

static void notarize_inside_a_turn(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    struct block_record *b = s->two;
    assert_false(sign_notarize(s->c, b)); /* the parent neither voted for nor proved */
    assert_true(sign_notarize(s->c, s->one));
    REFUSED_WHILE(sign_notarize(s->c, b), s->one->head.header.flags, FLAG_LAST);
    REFUSED_WHILE(sign_notarize(s->c, b), s->one->head.header.attempt, 1);
    REFUSED_WHILE(sign_notarize(s->c, b), s->one->head.header.slot, FIRST - 1);
    REFUSED_WHILE(sign_notarize(s->c, b), s->at_one->own[NOTARIZE].block.b[0],
                  (uint8_t)~s->at_one->own[NOTARIZE].block.b[0]);
    uint32_t depth = s->c->config.epoch.params.depth;
    REFUSED_WHILE(sign_notarize(s->c, b), s->c->config.epoch.params.depth, 0);
    assert_int_equal(s->c->config.epoch.params.depth, depth);
    assert_true(sign_notarize(s->c, b));
    scene_free(s);
}

/* S1: the current slot, and the first slots of the next n turns; nothing else. */
static void skip_where_it_is_allowed(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    for (uint64_t u = FIRST - 8; u < FIRST + 4 * 8; u++) {
        bool first_ahead = u > FIRST && (u - 1) % 4 == 0 && u <= FIRST + 4 * 4;
        if (u != FIRST && !first_ahead) {
            assert_false(sign_skip(s->c, u, SKIP_LATE));
        }
    }
    assert_int_equal(s->c->step_votes, 0);
    assert_true(sign_skip(s->c, FIRST, SKIP_LATE));
    assert_false(sign_skip(s->c, FIRST, SKIP_LATE));
    assert_true(sign_skip(s->c, FIRST + 4, SKIP_AHEAD));
    assert_true(sign_skip(s->c, FIRST + 16, SKIP_AHEAD));
    assert_int_equal(s->c->step_votes, 3);
    scene_free(s);
}

/* S2: not at or before a slot of the turn that this member finalized. */
static void skip_after_a_finalize(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    REFUSED_WHILE(sign_skip(s->c, FIRST, SKIP_LATE), s->at_one->own[FINALIZE].kind, VOTE_FINALIZE);
    REFUSED_WHILE(sign_skip(s->c, FIRST, SKIP_LATE), s->at_two->own[FINALIZE].kind, VOTE_FINALIZE);
    REFUSED_WHILE(sign_skip(s->c, FIRST, SKIP_LATE), s->c->highest_final, FIRST);
    REFUSED_WHILE(sign_skip(s->c, FIRST, SKIP_LATE), s->c->floor_slot, FIRST);
    assert_true(sign_skip(s->c, FIRST, SKIP_LATE));
    scene_free(s);
}

/* Makes a block look notarized and executed here. */
static void prove(struct scene *s, struct block_record *b, struct slot_record *r)
{
    b->notarized = true;
    b->proof_slot = r->slot;
    b->run = RUN_VALID;
    r->has_cert = 1u << NOTARIZE;
    r->cert[NOTARIZE] = (struct certificate){
        .kind = VOTE_NOTARIZE, .epoch = s->c->epoch->epoch, .slot = r->slot, .block = b->head.hash};
}

static void finalize_needs_proof_bodies_and_execution(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    struct block_record *b = s->two;
    prove(s, s->one, s->at_one);
    prove(s, s->two, s->at_two);
    REFUSED_WHILE(sign_finalize(s->c, b), b->notarized, false);
    REFUSED_WHILE(sign_finalize(s->c, b), s->at_two->has_cert, 0);
    REFUSED_WHILE(sign_finalize(s->c, b), b->body, BODY_ABSENT);
    REFUSED_WHILE(sign_finalize(s->c, b), s->one->body, BODY_ABSENT);
    REFUSED_WHILE(sign_finalize(s->c, b), s->one->form, FORM_UNKNOWN);
    REFUSED_WHILE(sign_finalize(s->c, b), b->run, RUN_ASKED);
    REFUSED_WHILE(sign_finalize(s->c, b), s->c->highest_final, FIRST + 1);
    REFUSED_WHILE(sign_finalize(s->c, b), s->c->floor_slot, FIRST + 1);
    REFUSED_WHILE(sign_finalize(s->c, b), s->at_two->own[FINALIZE].kind, VOTE_FINALIZE);
    REFUSED_WHILE(sign_finalize(s->c, b), s->at_two->own[SKIP].kind, VOTE_SKIP);
    REFUSED_WHILE(sign_finalize(s->c, b), s->at_one->own[SKIP].kind, VOTE_SKIP); /* F3 */
    assert_true(sign_finalize(s->c, b));
    /* What proves the block goes into the same write as the vote. */
    assert_int_equal(s->c->step_certs, 1);
    assert_ptr_equal(s->c->step_cert[0], &s->at_two->cert[NOTARIZE]);
    scene_free(s);
}

/* F3: an own skip is excused by a finalize certificate at or above it, which is kept as well. */
static void finalize_above_a_healed_skip(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    prove(s, s->one, s->at_one);
    prove(s, s->two, s->at_two);
    s->at_one->own[SKIP].kind = VOTE_SKIP;
    assert_false(sign_finalize(s->c, s->two));
    s->c->highest_final = FIRST;
    assert_true(sign_finalize(s->c, s->two));
    assert_int_equal(s->c->step_certs, 2);
    assert_ptr_equal(s->c->step_cert[1], &s->c->final_cert);
    scene_free(s);
}

/* A justified parent below the highest final slot: more than F lie, and nothing more is signed (N4). */
static void notarize_over_a_parent_below_final(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    struct block_record *p = block_parent(s->c, s->one);
    struct turn_record *t = turn_get(s->c, turn_of(s->c, FIRST - 1));
    t->skipped = true; /* from the slot after the parent on */
    t->skip.slot = FIRST - 1;
    p->head.header.slot = FIRST - 2;
    s->c->highest_final = FIRST - 2;
    assert_true(sign_notarize(s->c, s->one));
    s->at_one->own[NOTARIZE].kind = 0;
    s->c->highest_final = FIRST - 1;
    assert_false(sign_notarize(s->c, s->one));
    assert_true(s->c->stopped);
    assert_int_equal(s->out.effect[s->out.n - 1].u.alarm.what, ALARM_PARENT_BELOW_FINAL);
    scene_free(s);
}

/* A step makes so many votes at most, and so many wait for the disk: the rest comes later. */
static void votes_have_their_places(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    REFUSED_WHILE(sign_notarize(s->c, s->one), s->c->step_votes, LIMIT_STEP_VOTES);
    REFUSED_WHILE(sign_notarize(s->c, s->one), s->c->pending_own_n, PENDING_OWN);
    assert_true(sign_notarize(s->c, s->one));
    scene_free(s);
}

static bool refuses(void *ctx, struct signature *out, const struct hash *digest)
{
    (void)ctx;
    (void)out;
    (void)digest;
    return false;
}

/* Proposals and notices too are signed by nobody who may not, or cannot, sign (E5). */
static void what_is_no_vote(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    struct ready_notice r = {.epoch = s->c->epoch->epoch};
    struct leave_notice l = {.epoch = s->c->epoch->epoch};
    struct block_head h = {.header.slot = FIRST};
    REFUSED_WHILE(sign_ready(s->c, &r), s->c->amnesiac, true);
    REFUSED_WHILE(sign_leave(s->c, &l), s->c->amnesiac, true);
    REFUSED_WHILE(sign_proposal(s->c, &h), s->c->amnesiac, true);
    REFUSED_WHILE(sign_proposal(s->c, &h), s->c->floor_slot, FIRST);
    assert_true(sign_ready(s->c, &r) && sign_leave(s->c, &l) && sign_proposal(s->c, &h));
    s->c->config.crypto.sign = refuses;
    assert_false(sign_ready(s->c, &r));
    assert_true(s->c->stopped);
    REFUSED_WHILE(sign_skip(s->c, FIRST, SKIP_LATE), s->c->stopped, false);
    REFUSED_WHILE(sign_leave(s->c, &l), s->c->stopped, false);
    REFUSED_WHILE(sign_proposal(s->c, &h), s->c->stopped, false);
    assert_int_equal(s->c->step_votes, 0);
    scene_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notarize_of_a_first_slot),
        cmocka_unit_test(notarize_over_an_unproved_parent),
        cmocka_unit_test(notarize_inside_a_turn),
        cmocka_unit_test(skip_where_it_is_allowed),
        cmocka_unit_test(skip_after_a_finalize),
        cmocka_unit_test(finalize_needs_proof_bodies_and_execution),
        cmocka_unit_test(finalize_above_a_healed_skip),
        cmocka_unit_test(notarize_over_a_parent_below_final),
        cmocka_unit_test(votes_have_their_places),
        cmocka_unit_test(what_is_no_vote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
