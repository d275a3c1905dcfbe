/* Verifiers of the world: some execute whatever is asked, some only go forward, some fail now and
 * then. */
#include "derive_world.h"

#include "proto/limits.h"

static bool fails_now(struct verifier *v)
{
    return v->moody != 0 && random_below(&v->moody, 8) == 0;
}

static enum err forward_execute(void *ctx, const struct derive_content *b,
                                struct derive_executed *out)
{
    struct verifier *v = ctx;
    assert_int_equal(b->height, v->stands + 1); /* never a height twice */
    v->stands++;
    world_execute(b, out);
    return OK;
}

static void forward_keep(void *ctx, uint64_t height, const struct hash *hash)
{
    struct verifier *v = ctx;
    assert_int_equal(height, v->stands);
    assert_true(hash_equal(hash, &v->world->hash[height]));
    v->kept = height;
}

static void forward_drop(void *ctx)
{
    struct verifier *v = ctx;
    v->stands = v->kept;
}

static enum err do_execute(void *ctx, const struct derive_content *b, struct derive_executed *out)
{
    struct verifier *v = ctx;
    assert_true(v->expects == 0 || b->height == v->expects); /* a run goes on or was dropped */
    v->expects = b->height + 1;
    if (fails_now(v)) {
        return ERR_NO_MEMORY;
    }
    if (v->memo != NULL) {
        return derive_memo_execute(v->memo, b, out);
    }
    world_execute(b, out);
    return OK;
}

static void do_keep(void *ctx, const struct safe_row *safe)
{
    struct verifier *v = ctx;
    v->expects = 0;
    assert_true(hash_equal(&safe->hash, &v->world->hash[safe->number]));
    if (v->memo != NULL) {
        derive_memo_keep(v->memo);
    }
}

static void do_drop(void *ctx)
{
    struct verifier *v = ctx;
    v->expects = 0;
    if (v->memo != NULL) {
        derive_memo_drop(v->memo);
    }
}

static enum err do_check_blob(void *ctx, const uint8_t blob[BLOB_BYTES],
                              const struct hash *versioned)
{
    if (fails_now(ctx)) {
        return ERR_NO_MEMORY;
    }
    struct hash h = blob_hash(blob);
    return hash_equal(&h, versioned) ? OK : ERR_CORRUPT;
}

static bool do_certified(void *ctx, uint64_t height, struct hash *out)
{
    struct verifier *v = ctx;
    *out = hash_is_zero(&v->other) ? v->world->hash[height] : v->other;
    return true;
}

static void set_up(struct verifier *v, struct world *w)
{
    *v = (struct verifier){.world = w};
    v->setup = (struct derive_setup){
        .chain = w->chain,
        .config = &w->config,
        .inbox = world_inbox(),
        .auth = world_auth(),
        .start = {0, w->hash[0], w->l1[0].at, 0},
        .ctx = v,
        .execute = do_execute,
        .keep = do_keep,
        .drop = do_drop,
        .check_blob = do_check_blob,
        .certified = do_certified,
    };
}

void verifier_open(struct verifier *v, struct world *w, bool forward_only, uint64_t moody)
{
    set_up(v, w);
    v->moody = moody;
    if (forward_only) {
        struct derive_forward f = {v, forward_execute, forward_keep, forward_drop};
        assert_int_equal(derive_memo_open(&v->memo, 0, &f), OK);
    }
    assert_int_equal(derive_open(&v->d, &v->setup), OK);
}

void verifier_resume(struct verifier *v, struct world *w, struct bytes state)
{
    struct fault fault;
    set_up(v, w);
    assert_int_equal(derive_restore(&v->d, &v->setup, state, &fault), OK);
}

void verifier_close(struct verifier *v)
{
    derive_close(v->d);
    derive_memo_close(v->memo);
}

static void go_back(struct verifier *v)
{
    struct derive_ref known[LIMIT_DERIVE_HASHES];
    const struct world *w = v->world;
    size_t n = derive_known(v->d, known, LIMIT_DERIVE_HASHES);
    for (size_t i = 0; i < n; i++) {
        uint64_t at = known[i].number - (L1_FIRST - 1);
        if (at < w->l1_n && hash_equal(&w->l1[at].at.hash, &known[i].hash)) {
            assert_int_equal(derive_back(v->d, known[i].number), OK);
            return;
        }
    }
    fail_msg("no common block");
}

/* One block, until it is taken or turns out to be on another branch. */
static void push(struct verifier *v, const struct l1_slot *s)
{
    static uint8_t wrong[BLOB_BYTES];
    static const uint8_t *wrong_blob = wrong;
    struct derive_tx tx[L1_TXS];
    const uint8_t *blob[L1_TXS];
    struct derive_block b = {s->at, s->parent, tx, s->n};
    for (size_t i = 0; i < s->n; i++) {
        tx[i] = s->tx[i]->tx;
        tx[i].index = (uint32_t)(3 * i);
        blob[i] = s->tx[i]->blob;
    }
    for (;;) {
        enum derive_step step = derive_push(v->d, &b);
        if (step == DERIVE_TAKEN) {
            return;
        }
        if (step == DERIVE_FORK) {
            go_back(v);
            return;
        }
        assert_int_not_equal(step, DERIVE_ORDER);
        size_t i = derive_waits(v->d);
        if (step == DERIVE_BLOBS) {
            assert_null(tx[i].blob);
            tx[i].blob = fails_now(v) ? &wrong_blob : &blob[i];
        } else if (step == DERIVE_BAD_BLOB) {
            assert_true(tx[i].blob == &wrong_blob);
            tx[i].blob = &blob[i];
        }
    }
}

void verifier_read(struct verifier *v)
{
    const struct world *w = v->world;
    struct derive_ref last;
    assert_int_equal(derive_known(v->d, &last, 1), 1);
    size_t at = last.number - (L1_FIRST - 1);
    if (at >= w->l1_n || !hash_equal(&w->l1[at].at.hash, &last.hash)) {
        go_back(v);
    }
    while (derive_next(v->d) <= w->l1[w->l1_n - 1].at.number) {
        push(v, &w->l1[derive_next(v->d) - (L1_FIRST - 1)]);
    }
}

uint64_t verifier_safe(const struct verifier *v)
{
    return derive_state_safe(derive_state_of(v->d))->number;
}

size_t verifier_next(const struct verifier *v)
{
    size_t i = 0;
    while (i < SEGMENTS && v->world->piece[i].auth.last <= verifier_safe(v)) {
        i++;
    }
    return i;
}

void verifier_check(const struct verifier *v)
{
    const struct world *w = v->world;
    const struct derive_state *s = derive_state_of(v->d);
    for (size_t i = 0; i < s->rows; i++) {
        const struct safe_row *r = &s->row[i];
        assert_true(hash_equal(&r->hash, &w->hash[r->number]));
        uint64_t at = r->l1.number - (L1_FIRST - 1);
        assert_true(at < w->l1_n && hash_equal(&w->l1[at].at.hash, &r->l1.hash));
    }
    assert_false(derive_alarm(v->d)->raised);
}

void verifiers_agree(const struct verifier *a, const struct verifier *b)
{
    const struct derive_state *x = derive_state_of(a->d);
    const struct derive_state *y = derive_state_of(b->d);
    assert_int_equal(x->at, y->at);
    assert_int_equal(x->rows, y->rows);
    for (size_t i = 0; i < x->rows; i++) {
        assert_int_equal(x->row[i].number, y->row[i].number);
        assert_true(hash_equal(&x->row[i].hash, &y->row[i].hash));
        assert_int_equal(x->row[i].l1.number, y->row[i].l1.number);
        assert_true(hash_equal(&x->row[i].l1.hash, &y->row[i].l1.hash));
        assert_int_equal(x->row[i].tx, y->row[i].tx);
    }
}
