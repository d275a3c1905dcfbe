/* The transaction manager on an L1 that answers through l1.h: posted, mined, lost, reorganised. */
#include "txm_kit.h"

#include "sequencer/l1/feed.h"

enum { QUEUE = 256, TXS = 16, NOWHERE = 0, POOL = -1 };

struct answer_due {
    enum { ACCOUNT, FEES, RECEIPT, SEEN, SENT } kind;
    struct hash tx;
    uint64_t number; /* of the block for ACCOUNT */
    union {
        l1_account_cb account;
        l1_fees_cb fees;
        l1_receipt_cb receipt;
        l1_seen_cb seen;
        l1_sent_cb sent;
    } cb;
    void *arg;
};

struct known_tx {
    struct hash hash;
    int64_t where; /* POOL, NOWHERE, or the block's number */
};

/* An L1 with one mempool; it answers when answer_all is called. */
struct scene {
    struct kit kit;
    struct feed *feed;
    struct l1_view view;
    struct known_tx tx[TXS];
    size_t txs;
    struct answer_due due[QUEUE];
    size_t dues;
    uint64_t now_ms;
    uint32_t sends, ticked;
    bool mute;    /* no quorum for accounts */
    bool swallow; /* sends are answered and forgotten */
    bool busy;    /* sends are not taken */
    bool behind;  /* derivation is not at the head */
};

static enum err put(struct scene *s, const struct answer_due *d)
{
    assert_true(s->dues < QUEUE);
    s->due[s->dues++] = *d;
    return OK;
}

static void view(void *ctx, struct l1_view *out)
{
    *out = ((struct scene *)ctx)->view;
}

static enum err account(void *ctx, const struct l1_ref *at, const struct address *a,
                        l1_account_cb cb, void *arg)
{
    (void)a;
    return put(ctx, &(struct answer_due){
                        .kind = ACCOUNT, .number = at->number, .cb.account = cb, .arg = arg});
}

static enum err fees(void *ctx, l1_fees_cb cb, void *arg)
{
    return put(ctx, &(struct answer_due){.kind = FEES, .cb.fees = cb, .arg = arg});
}

static enum err receipt(void *ctx, const struct hash *tx, l1_receipt_cb cb, void *arg)
{
    return put(ctx, &(struct answer_due){.kind = RECEIPT, .tx = *tx, .cb.receipt = cb, .arg = arg});
}

static enum err seen(void *ctx, const struct hash *tx, l1_seen_cb cb, void *arg)
{
    return put(ctx, &(struct answer_due){.kind = SEEN, .tx = *tx, .cb.seen = cb, .arg = arg});
}

static struct known_tx *find(struct scene *s, const struct hash *tx)
{
    for (size_t i = 0; i < s->txs; i++) {
        if (hash_equal(&s->tx[i].hash, tx)) {
            return &s->tx[i];
        }
    }
    assert_true(s->txs < TXS);
    s->tx[s->txs] = (struct known_tx){*tx, NOWHERE};
    return &s->tx[s->txs++];
}

static enum err take(void *ctx, struct bytes raw, const struct hash *tx, l1_sent_cb cb, void *arg)
{
    struct scene *s = ctx;
    assert_true(raw.n > 0);
    if (s->busy) {
        return ERR_BUSY;
    }
    s->sends++;
    struct known_tx *known = find(s, tx);
    if (!s->swallow && known->where == NOWHERE) {
        known->where = POOL;
    }
    return put(s, &(struct answer_due){.kind = SENT, .tx = *tx, .cb.sent = cb, .arg = arg});
}

static void answer_account(struct scene *s, const struct answer_due *d)
{
    struct l1_account a = {.balance = kit_gwei(1000000000)};
    for (size_t i = 0; i < s->txs; i++) {
        a.nonce += s->tx[i].where > 0 && (uint64_t)s->tx[i].where <= d->number;
    }
    d->cb.account(d->arg, s->mute ? ERR_NOT_READY : OK, s->mute ? NULL : &a);
}

static void answer_receipt(struct scene *s, const struct answer_due *d)
{
    int64_t where = find(s, &d->tx)->where;
    struct l1_receipt r = {.found = where > 0, .succeeded = true, .gas_used = 21000,
                           .gas_price = kit_gwei(1)};
    r.block.number = where > 0 ? (uint64_t)where : 0;
    r.block.hash.b[0] = (uint8_t)r.block.number;
    d->cb.receipt(d->arg, OK, &r);
}

static void answer_one(struct scene *s, const struct answer_due *d)
{
    const struct l1_fees market = {.base_fee = kit_gwei(1), .tip = kit_gwei(1), .blocks = 1,
                                   .gas_permille = {500}};
    const struct l1_sent sent = {.verdict = L1_SEND_ACCEPTED};
    int64_t where = d->kind == SEEN ? find(s, &d->tx)->where : NOWHERE;
    const struct l1_seen known = {.asked = 3, .pending = where == POOL ? 3 : 0,
                                  .mined = where > 0 ? 3 : 0};
    switch (d->kind) {
    case ACCOUNT:
        answer_account(s, d);
        return;
    case FEES:
        d->cb.fees(d->arg, OK, &market);
        return;
    case RECEIPT:
        answer_receipt(s, d);
        return;
    case SEEN:
        d->cb.seen(d->arg, OK, &known);
        return;
    case SENT:
        d->cb.sent(d->arg, &sent);
        return;
    }
}

/* Answers may ask again. */
static void answer_all(struct scene *s)
{
    for (size_t i = 0; i < s->dues; i++) {
        struct answer_due d = s->due[i];
        answer_one(s, &d);
    }
    s->dues = 0;
}

static bool derived(void *arg, const struct l1_ref *head, uint64_t *safe)
{
    const struct scene *s = arg;
    assert_int_equal(head->number, s->view.head.at.number);
    *safe = 0;
    return !s->behind;
}

static void ticked(void *arg)
{
    ((struct scene *)arg)->ticked++;
}

static void look(struct scene *s)
{
    s->now_ms += 1000;
    feed_look(s->feed, s->now_ms);
    answer_all(s);
}

static void head(struct scene *s, uint64_t blocks)
{
    for (uint64_t i = 0; i < blocks; i++) {
        s->view.head.at.number++;
        s->view.head.at.hash.b[0] = (uint8_t)s->view.head.at.number;
        look(s);
    }
}

/* What waits in the pool is in the next block. */
static void mine(struct scene *s)
{
    for (size_t i = 0; i < s->txs; i++) {
        if (s->tx[i].where == POOL) {
            s->tx[i].where = (int64_t)s->view.head.at.number + 1;
        }
    }
    head(s, 1);
}

static int open_scene(void **state)
{
    static const struct l1_ops ops = {.view = view, .account = account, .receipt = receipt,
                                      .seen = seen, .send = take, .fees = fees};
    static struct scene s;
    memset(&s, 0, sizeof s);
    kit_open(&s.kit, TXM_CALLDATA);
    struct feed_options o = {.l1 = {&ops, &s}, .txm = s.kit.t, .account = s.kit.cfg.account,
                             .derived = derived, .ticked = ticked, .arg = &s};
    assert_int_equal(feed_open(&s.feed, &o), OK);
    s.view.known = true;
    s.view.head.at.number = 1000;
    look(&s);
    assert_int_equal(s.ticked, 1);
    *state = &s;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *s = *state;
    feed_close(s->feed);
    kit_close(&s->kit);
    return 0;
}

static void post(struct scene *s, uint64_t segment)
{
    (void)kit_post(&s->kit, segment);
    feed_send(s->feed);
    answer_all(s);
}

static void posted_and_final(void **state)
{
    struct scene *s = *state;
    post(s, 0);
    post(s, 1);
    assert_int_equal(s->sends, 2);
    assert_int_equal(kit_slot(&s->kit, 1).state, TXM_PENDING);
    mine(s);
    assert_int_equal(kit_slot(&s->kit, 0).state, TXM_MINED);
    assert_int_equal(kit_slot(&s->kit, 0).block.number, 1001);
    head(s, s->kit.cfg.confirmations);
    assert_int_equal(kit_slot(&s->kit, 1).state, TXM_CONFIRMED);
    s->view.has_finalized = true;
    s->view.finalized.number = 1001;
    head(s, 1);
    assert_int_equal(txm_slots(s->kit.t), 0);
    assert_int_equal(kit_status(&s->kit).finals, 2);
    assert_int_equal(s->sends, 2);
    struct u256 spent = kit_gwei(2 * 21000);
    struct u256 said = kit_status(&s->kit).spent;
    assert_int_equal(u256_cmp(&said, &spent), 0);
}

static void lost_and_sent_again(void **state)
{
    struct scene *s = *state;
    s->swallow = true;
    post(s, 0);
    head(s, 3); /* pools say that they do not know it */
    assert_true(s->sends > 1);
    s->swallow = false;
    head(s, 3);
    mine(s);
    assert_int_equal(kit_slot(&s->kit, 0).state, TXM_MINED);
    assert_true(kit_status(&s->kit).dropped > 0);
}

static void taken_back_by_a_reorg(void **state)
{
    struct scene *s = *state;
    post(s, 0);
    mine(s);
    assert_int_equal(kit_slot(&s->kit, 0).state, TXM_MINED);
    s->tx[0].where = NOWHERE;
    uint32_t before = s->sends;
    head(s, 1);
    assert_int_equal(kit_slot(&s->kit, 0).state, TXM_PENDING);
    assert_int_equal(s->sends, before + 1); /* the same bytes, at once */
    mine(s);
    assert_int_equal(kit_slot(&s->kit, 0).state, TXM_MINED);
}

static void nothing_is_concluded_without_a_quorum(void **state)
{
    struct scene *s = *state;
    post(s, 0);
    s->tx[0].where = NOWHERE;
    uint32_t before = s->sends;
    s->mute = true;
    head(s, 5);
    assert_int_equal(s->sends, before);
    assert_int_equal(kit_slot(&s->kit, 0).state, TXM_PENDING);
    s->mute = false;
    s->behind = true;
    head(s, 5);
    assert_int_equal(s->sends, before);
    s->behind = false;
    s->view.down = true;
    look(s);
    assert_int_equal(s->sends, before);
    assert_int_equal(s->dues, 0); /* an L1 that is down is not asked */
    s->view.down = false;
    head(s, 1);
    assert_true(s->sends > before);
}

static void one_look_at_a_time(void **state)
{
    struct scene *s = *state;
    uint32_t before = s->ticked;
    feed_look(s->feed, ++s->now_ms);
    size_t asked = s->dues;
    feed_look(s->feed, ++s->now_ms);
    feed_look(s->feed, ++s->now_ms);
    assert_int_equal(s->dues, asked);
    answer_all(s); /* the first; then one for both of the others */
    assert_int_equal(s->ticked, before + 2);
}

static void sends_that_are_not_taken_are_tried_again(void **state)
{
    struct scene *s = *state;
    s->busy = true;
    post(s, 0);
    assert_int_equal(s->sends, 0);
    s->busy = false;
    for (uint32_t i = 0; i <= s->kit.cfg.resend_ms / 1000 + 1; i++) {
        look(s);
    }
    assert_int_equal(s->sends, 1);
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(posted_and_final),
        SCENE_TEST(lost_and_sent_again),
        SCENE_TEST(taken_back_by_a_reorg),
        SCENE_TEST(nothing_is_concluded_without_a_quorum),
        SCENE_TEST(one_look_at_a_time),
        SCENE_TEST(sends_that_are_not_taken_are_tried_again),
    };
    return key_library_init() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
