/* What goes into blocks and comes out of them: exactly once, in the order of nonces. */
#include "proto/keccak.h"
#include "tests/sim/adversary.h"
#include "tests/sim/users_inside.h"

struct user_body *users_body(struct users *u, const struct hash *root, bool make)
{
    uint64_t key = load_be64(root->b) | 1;
    uint32_t at = (uint32_t)key & (BODIES - 1);
    while (u->body[at].key != 0 && u->body[at].key != key) {
        at = (at + 1) & (BODIES - 1);
    }
    if (u->body[at].key == key) {
        return &u->body[at];
    }
    if (!make || u->used + 1 >= BODIES / 2) {
        return NULL;
    }
    u->bodies[u->used++] = at;
    u->body[at].key = key;
    return &u->body[at];
}

/* Marks what the ancestors above this node's final head hold already. */
static void mark_taken(struct sim *s, const struct node *n, uint32_t b)
{
    struct users *u = s->users;
    uint64_t floor = disk_last_head(n) == NULL ? 0 : disk_last_head(n)->slot;
    u->stamp++;
    for (int k = 0; k < 64 && b != NO_BLOCK && s->block[b].head.header.slot > floor; k++) {
        const struct user_body *body = users_body(u, &s->block[b].head.header.body_root, false);
        for (uint32_t i = 0; body != NULL && i < body->txs; i++) {
            u->tx[body->tx[i]].taken = u->stamp;
        }
        b = world_parent(s, b);
    }
}

static bool is_taken(void *arg, const struct hash *hash)
{
    struct users *u = arg;
    for (uint32_t i = 0; i < u->txs; i++) {
        if (hash_equal(&u->tx[i].hash, hash)) {
            return u->tx[i].taken == u->stamp;
        }
    }
    return false;
}

uint32_t users_select(struct sim *s, struct node *n, const struct hash *parent, uint32_t max,
                      struct hash *body_root)
{
    struct users *u = s->users;
    struct mempool_candidate c[BODY_MOST];
    struct mempool *pool = u->node[n->index].pool;
    uint32_t most = max == 0 || max > BODY_MOST ? BODY_MOST : max;
    if (pool == NULL) {
        return 1;
    }
    uint32_t on = world_find(s, parent);
    bool careless = liars_careless(s, n) && body_root->b[0] % 4 == 0;
    mark_taken(s, n, careless ? NO_BLOCK : on);
    uint32_t count = mempool_select(pool, c, most, 30000000, is_taken, u);
    count = careless ? count : users_runnable(s, on, c, count);
    struct keccak k;
    keccak_init(&k);
    keccak_update(&k, body_root->b, sizeof body_root->b);
    for (uint32_t i = 0; i < count; i++) {
        keccak_update(&k, c[i].raw.p, c[i].raw.n);
    }
    keccak_final(&k, body_root);
    struct user_body *body = users_body(u, body_root, true);
    if (body == NULL) {
        sim_fail(s, SIM_HARNESS, "more bodies than the world has room for");
        return 0;
    }
    body->txs = count;
    for (uint32_t i = 0; i < count; i++) {
        body->tx[i] = load_be32(c[i].raw.p);
    }
    return count;
}

bool users_pending(struct sim *s, struct node *n)
{
    struct users *u = s->users;
    struct mempool *pool = u->node[n->index].pool;
    if (pool == NULL) {
        return s->healing;
    }
    mark_taken(s, n, n->tip);
    return s->healing || mempool_has_executable(pool, is_taken, u);
}

/* ---- final ------------------------------------------------------------------------------------
 */

static void confirmed(struct sim *s, struct node *n, uint32_t block, struct user_tx *t)
{
    struct users *u = s->users;
    (void)n;
    if (t->final_block == block + 1) {
        return;
    }
    if (t->final_block != 0) {
        sim_fail(s, SIM_SAFETY, "transaction %u of user %u is final twice", (unsigned)t->nonce,
                 t->user);
        return;
    }
    if (t->nonce != u->final_nonce[t->user]) {
        sim_fail(s, SIM_SAFETY, "user %u: nonce %u is final, %u would be next", t->user,
                 (unsigned)t->nonce, (unsigned)u->final_nonce[t->user]);
        return;
    }
    u->final_nonce[t->user]++;
    t->final_block = block + 1;
    s->account->confirmed++;
    s->account->marks[MARK_MOVED_ON] += s->block[block].head.header.leader != s->node[t->to].member;
}

void users_final(struct sim *s, struct node *n, uint32_t block)
{
    struct users *u = s->users;
    const struct header *h = &s->block[block].head.header;
    struct user_body *body = users_body(u, &h->body_root, false);
    struct mempool *pool = u->node[n->index].pool;
    if (body == NULL || (h->flags & FLAG_EMPTY) != 0) {
        return;
    }
    struct hash hash[BODY_MOST];
    struct address sender[BODY_MOST];
    uint64_t nonce[BODY_MOST];
    for (uint32_t i = 0; i < body->txs && s->end == SIM_PASS; i++) {
        struct user_tx *t = &u->tx[body->tx[i]];
        if (!sim_lies(s, n->member)) {
            confirmed(s, n, block, t);
        }
        hash[i] = t->hash;
        sender[i] = u->address[t->user];
        nonce[i] = t->nonce;
        disk_pool(s, n, &t->hash, bytes_of(NULL, 0), 0);
        uint64_t *mine = &u->node[n->index].nonce[t->user];
        *mine = t->nonce + 1 > *mine ? t->nonce + 1 : *mine;
    }
    if (pool != NULL) {
        mempool_final(pool, hash, sender, nonce, body->txs, NULL, NULL);
    }
}

bool users_served(const struct sim *s)
{
    for (uint32_t i = 0; i < s->users->txs; i++) {
        if (s->users->tx[i].acknowledged && s->users->tx[i].final_block == 0) {
            return false;
        }
    }
    return true;
}
