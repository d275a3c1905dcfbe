/* Users and intake: what is accepted is durable at members of weight A, is confirmed exactly once,
 * in the order of nonces, in one block everywhere. */
#include <stdlib.h>

#include "proto/keccak.h"
#include "storage/storage.h"
#include "tests/sim/users_inside.h"

struct users *users_new(void)
{
    struct users *u = calloc(1, sizeof *u);
    if (u != NULL) {
        u->body = calloc(BODIES, sizeof *u->body);
    }
    return u != NULL && u->body != NULL ? u : NULL;
}

static void drop_pool(struct users *u, int i)
{
    if (u->node[i].pool != NULL) {
        mempool_destroy(u->node[i].pool);
        u->node[i].pool = NULL;
    }
}

void users_free(struct users *u)
{
    for (int i = 0; i < SIM_NODES; i++) {
        drop_pool(u, i);
    }
    free(u->body);
    free(u);
}

void users_reset(struct sim *s)
{
    struct users *u = s->users;
    for (int i = 0; i < SIM_NODES; i++) {
        drop_pool(u, i);
    }
    for (uint32_t i = 0; i < u->used; i++) {
        u->body[u->bodies[i]].key = 0;
    }
    struct user_body *body = u->body;
    memset(u, 0, sizeof *u);
    u->body = body;
    u->dice = dice_of(s->plan->seed, DICE_USER, 0);
    for (uint32_t i = 0; i < USERS; i++) {
        store_be32(u->address[i].b, i + 1);
    }
    u->due_us = s->now + SECOND / 4;
}

/* ---- pools ------------------------------------------------------------------------------------
 */

static void pool_account(void *ctx, const struct address *a, uint64_t *nonce, struct u256 *balance)
{
    const uint64_t *nonces = ctx;
    uint32_t i = load_be32(a->b);
    *nonce = i >= 1 && i <= USERS ? nonces[i - 1] : 0;
    *balance = u256_from_u64(UINT64_MAX);
}

static void pool_base_fee(void *ctx, struct u256 *out)
{
    (void)ctx;
    *out = u256_from_u64(1);
}

static struct tx tx_of(const struct sim *s, const struct user_tx *t)
{
    return (struct tx){.type = 2,
                       .has_chain_id = true,
                       .chain_id = s->epoch.chain_id,
                       .nonce = t->nonce,
                       .max_priority_fee = u256_from_u64(1),
                       .max_fee = u256_from_u64(10),
                       .gas = 21000,
                       .hash = t->hash,
                       .raw = bytes_of(t->raw, RAW)};
}

static bool pool_put(struct sim *s, struct node *n, const struct user_tx *t, bool local)
{
    char text[256];
    const struct tx tx = tx_of(s, t);
    enum mempool_verdict v =
        mempool_add(s->users->node[n->index].pool, &tx, &s->users->address[t->user], local,
                    s->now / SECOND, text, sizeof text);
    return v != POOL_REFUSED;
}

static struct user_tx *find_raw(struct users *u, struct bytes raw)
{
    uint32_t i = raw.n == RAW ? load_be32(raw.p) : UINT32_MAX;
    return i < u->txs && memcmp(u->tx[i].raw, raw.p, RAW) == 0 ? &u->tx[i] : NULL;
}

/* As pool_restore.c: what is refused is erased. */
static void restore_one(struct sim *s, struct node *n, struct user_tx *t)
{
    char text[256];
    const struct tx tx = tx_of(s, t);
    if (mempool_restore(s->users->node[n->index].pool, &tx, &s->users->address[t->user],
                        s->now / SECOND, text, sizeof text) == POOL_REFUSED) {
        t->durable &= ~(1u << n->member);
        disk_pool(s, n, &t->hash, bytes_of(NULL, 0), 0);
    }
}

struct walking {
    struct sim *s;
    uint32_t found[USER_TXS / 32];
};

static bool found_one(void *arg, struct bytes key, struct bytes value)
{
    struct walking *w = arg;
    const struct user_tx *t = find_raw(w->s->users, value);
    if (t == NULL || !bytes_equal(key, bytes_of(t->hash.b, sizeof t->hash.b))) {
        sim_fail(w->s, SIM_SAFETY, "a pool holds what nobody submitted");
        return false;
    }
    uint32_t i = (uint32_t)(t - w->s->users->tx);
    w->found[i / 32] |= 1u << i % 32;
    return true;
}

/* What was told to be durable is there, unless it is final. */
static void find_stored(struct sim *s, struct node *n)
{
    struct walking w = {.s = s};
    uint32_t bit = 1u << n->member;
    if (storage_walk(n->disk.room, TABLE_POOL, bytes_of(NULL, 0), found_one, &w) != OK) {
        sim_fail(s, SIM_SAFETY, "member %d: the stored pool cannot be read", n->member);
    }
    for (uint32_t i = 0; i < s->users->txs; i++) {
        struct user_tx *t = &s->users->tx[i];
        bool there = (w.found[i / 32] >> i % 32 & 1) != 0;
        if ((t->durable & bit) != 0 && !there && sim_honest(s, n) &&
            (s->forgot >> n->member & 1) == 0 && t->final_block == 0) {
            sim_fail(s, SIM_SAFETY, "member %d: transaction %u was durable and is gone", n->member,
                     i);
        }
        t->durable = there ? t->durable | bit : t->durable & ~bit;
    }
}

/* A start has the state at its own final head (ledger_start.c in sequencer/node), whether or not
 * anybody else has finalized as much; then it takes up what its disk holds (pool_restore.c). */
void users_boot(struct sim *s, struct node *n)
{
    struct users *u = s->users;
    struct mempool_options o = {.chain_id = s->epoch.chain_id,
                                .gas_limit = 30000000,
                                .chain = {.ctx = u->node[n->index].nonce,
                                          .account = pool_account,
                                          .base_fee = pool_base_fee}};
    drop_pool(u, n->index);
    memset(u->node[n->index].nonce, 0, sizeof u->node[n->index].nonce);
    if (s->plan->per_s == 0) {
        return;
    }
    if (mempool_create(&u->node[n->index].pool, &o) != OK) {
        abort();
    }
    const struct disk_head *h = disk_last_head(n);
    const struct user_state *state = users_state(s, h == NULL ? NO_BLOCK : h->block);
    memcpy(u->node[n->index].nonce, state->nonce, sizeof state->nonce);
    find_stored(s, n);
    for (uint32_t i = 0; i < u->txs; i++) {
        if ((u->tx[i].durable >> n->member & 1) != 0) {
            restore_one(s, n, &u->tx[i]);
        }
    }
}

void users_crash(struct sim *s, struct node *n)
{
    drop_pool(s->users, n->index);
}

/* ---- intake -----------------------------------------------------------------------------------
 */

static void store(struct sim *s, struct node *n, const struct user_tx *t)
{
    disk_pool(s, n, &t->hash, bytes_of(t->raw, RAW), (uint64_t)(t - s->users->tx) + 1);
}

static void heard_ack(struct sim *s, struct user_tx *t, int member)
{
    uint32_t a = plan_total(s->plan) - ((plan_total(s->plan) + plan_spare(s->plan)) / 2 + 1) + 1;
    t->acks |= 1u << member;
    if (!t->acknowledged && members_weight(&s->epoch, t->acks) >= a) {
        t->acknowledged = true;
        s->account->acknowledged++;
        account_mark(s->account, MARK_ACKNOWLEDGED);
    }
}

static void ack(struct sim *s, struct node *n, struct user_tx *t)
{
    struct node *to = &s->node[t->to];
    if (to == n && t->to_life == n->life) {
        heard_ack(s, t, n->member);
        return;
    }
    struct message m = {.kind = MSG_TX_ACK};
    m.u.tx_ack.hash = &t->hash;
    m.u.tx_ack.hashes = 1;
    struct frame *f = frame_of(s, &m);
    links_post_node(s, n, to, f);
    frame_drop(s, f);
}

void users_stored(struct sim *s, struct node *n, uint64_t tx)
{
    struct user_tx *t = &s->users->tx[tx];
    t->durable |= 1u << n->member;
    ack(s, n, t);
}

static void offer(struct sim *s, struct node *n, struct user_tx *t)
{
    struct bytes raw = bytes_of(t->raw, RAW);
    struct message m = {.kind = MSG_TXS};
    m.u.txs.tx = &raw;
    m.u.txs.txs = 1;
    struct frame *f = frame_of(s, &m);
    links_post(s, n, SEND_ALL, f);
    frame_drop(s, f);
    t->sent_us = s->now;
}

void users_message(struct sim *s, struct node *n, struct node *from, const struct message *m)
{
    struct users *u = s->users;
    for (uint32_t i = 0; m->kind == MSG_TXS && i < m->u.txs.txs; i++) {
        struct user_tx *t = find_raw(u, m->u.txs.tx[i]);
        if (t != NULL && u->node[n->index].pool != NULL &&
            (t->nonce < u->node[n->index].nonce[t->user] || pool_put(s, n, t, false))) {
            store(s, n, t);
        }
    }
    for (uint32_t i = 0; m->kind == MSG_TX_ACK && i < m->u.tx_ack.hashes; i++) {
        for (uint32_t k = 0; k < u->txs; k++) {
            struct user_tx *t = &u->tx[k];
            if (hash_equal(&t->hash, &m->u.tx_ack.hash[i]) && t->to == n->index &&
                t->to_life == n->life && !sim_lies(s, from->member)) {
                heard_ack(s, t, from->member);
            }
        }
    }
}

static struct node *retell_whom(struct sim *s, struct node *n)
{
    for (uint32_t k = 1; k <= s->nodes; k++) {
        struct node *to = &s->node[(s->users->node[n->index].retold + k) % s->nodes];
        if (to->member != n->member && s->link[n->index][to->index].up) {
            return to;
        }
    }
    return NULL;
}

/* As intake_retell in sequencer/node. */
void users_retell(struct sim *s, struct node *n)
{
    struct mempool_entry old[LIMIT_INTAKE_RETOLD];
    struct bytes tx[LIMIT_INTAKE_RETOLD];
    struct users *u = s->users;
    struct node *to = retell_whom(s, n);
    if (u->node[n->index].pool == NULL || to == NULL ||
        s->now < u->node[n->index].retold_us + SECOND) {
        return;
    }
    u->node[n->index].retold_us = s->now;
    u->node[n->index].retold = (uint32_t)to->index;
    uint64_t now_s = s->now / SECOND;
    uint32_t count = now_s < RETELL_S ? 0
                                      : mempool_oldest(u->node[n->index].pool, now_s - RETELL_S,
                                                       old, LIMIT_INTAKE_RETOLD);
    for (uint32_t i = 0; i < count; i++) {
        tx[i] = old[i].raw;
    }
    if (count > 0) {
        struct message m = {.kind = MSG_TXS};
        m.u.txs.tx = tx;
        m.u.txs.txs = count;
        struct frame *f = frame_of(s, &m);
        account_mark(s->account, MARK_RETOLD);
        links_post_node(s, n, to, f);
        frame_drop(s, f);
    }
}

/* ---- users ------------------------------------------------------------------------------------
 */

static struct node *some_node(struct sim *s)
{
    for (int tries = 0; tries < 8; tries++) {
        struct node *n = &s->node[dice_below(&s->users->dice, s->plan->n)];
        if (n->up && n->pauses == 0 && !sim_lies(s, n->member)) {
            return n;
        }
    }
    return NULL;
}

static void submit(struct sim *s, struct user_tx *t)
{
    struct node *n = some_node(s);
    if (n == NULL || !pool_put(s, n, t, true)) {
        return;
    }
    t->to = n->index;
    t->to_life = n->life;
    t->acks = 0;
    store(s, n, t);
    offer(s, n, t);
}

static void new_tx(struct sim *s)
{
    struct users *u = s->users;
    if (u->txs == USER_TXS) {
        return;
    }
    struct user_tx *t = &u->tx[u->txs];
    t->user = (uint32_t)dice_below(&u->dice, USERS);
    t->nonce = u->next_nonce[t->user]++;
    t->to = 0;
    store_be32(t->raw, u->txs++);
    store_be32(t->raw + 4, t->user);
    store_be64(t->raw + 8, t->nonce);
    t->hash = keccak256(t->raw, RAW);
    s->account->submitted++;
    submit(s, t);
}

/* Those that nobody answered are sent again: by the member that has them, or to another one. */
static void again(struct sim *s, struct user_tx *t)
{
    struct node *n = &s->node[t->to];
    if (t->acknowledged || t->final_block != 0 || s->now < t->sent_us + AGAIN_US) {
        return;
    }
    if (n->up && n->life == t->to_life && t->sent_us != 0) {
        offer(s, n, t);
    } else {
        submit(s, t);
    }
}

void users_beat(struct sim *s)
{
    struct users *u = s->users;
    if (s->plan->per_s == 0) {
        return;
    }
    for (uint32_t i = 0; i < u->txs; i++) {
        again(s, &u->tx[i]);
    }
    while (!s->healing && s->now >= u->due_us) {
        u->due_us += SECOND / s->plan->per_s / 2 + dice_below(&u->dice, SECOND / s->plan->per_s);
        new_tx(s);
    }
    queue_push(s, (struct sim_event){.at = s->now + 25 * MS, .kind = SIM_USER, .to = -1});
}
