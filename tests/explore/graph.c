/* Local states: each is found once, and what an action makes of it is asked of the real core once. */
#include <stdlib.h>
#include <string.h>

#include "tests/explore/explore.h"

enum { LOCALS_FIRST = 1024, GLANCES = 262144 };

/* ---- what others see --------------------------------------------------------------------------- */

static void note_cert(struct scene *s, struct local *l, const struct certificate *c)
{
    int block = c->kind == VOTE_SKIP ? 0 : scene_block_of(s, &c->block);
    if (c->slot <= s->o.slots && block >= 0) {
        l->holds |= (uint64_t)1 << scene_cert(s, c->kind - 1, c->slot, block);
    }
}

static void note_core(struct scene *s, struct local *l, struct core *c)
{
    l->cur = c->cur;
    for (uint32_t i = 0; i < c->slots_used; i++) {
        const struct slot_record *r = &c->slot[c->slot_list[i]];
        for (int k = NOTARIZE; k <= FINALIZE; k += FINALIZE - NOTARIZE) {
            if ((r->has_cert & 1u << k) != 0) {
                note_cert(s, l, &r->cert[k]);
            }
        }
    }
    for (uint32_t i = 0; i < c->turns_used; i++) {
        const struct turn_record *t = &c->turn[c->turn_list[i]];
        if (t->skipped) {
            note_cert(s, l, &t->skip);
        }
    }
    if (c->final_cert.slot != 0) {
        note_cert(s, l, &c->final_cert);
    }
    for (uint32_t i = 0; i < c->blocks_used; i++) {
        const struct block_record *b = &c->block[c->block_list[i]];
        l->shown |= (uint8_t)(b->proposed ? 1u << b->head.header.slot : 0);
    }
}

static void note_votes(struct local *l)
{
    for (int i = 0; i < l->disk.votes; i++) {
        const struct disk_vote *v = &l->disk.vote[i];
        if (v->slot > SLOTS_MOST) {
            continue;
        }
        if (v->kind == SKIP) {
            l->skipped |= (uint8_t)(1u << v->slot);
        } else if (v->kind == NOTARIZE) {
            l->notarized[v->slot] = v->block;
        } else {
            l->finalized[v->slot] = v->block;
        }
    }
}

/* ---- the table --------------------------------------------------------------------------------- */

static uint32_t *slot_for(struct graph *g, int i, const struct hash *key)
{
    uint32_t mask = 4 * g->capacity[i] - 1;
    uint32_t at = (uint32_t)load_be64(key->b) & mask;
    while (g->table[i][at] != 0 && !hash_equal(&g->key[i][g->table[i][at] - 1], key)) {
        at = (at + 1) & mask;
    }
    return &g->table[i][at];
}

static void *grown(void *p, size_t bytes)
{
    p = realloc(p, bytes);
    if (p == NULL) {
        broken("no memory left");
    }
    return p;
}

static void grow(struct graph *g, int i)
{
    uint32_t n = g->capacity[i] == 0 ? LOCALS_FIRST : 2 * g->capacity[i];
    g->capacity[i] = n;
    g->local[i] = grown(g->local[i], n * sizeof *g->local[i]);
    g->key[i] = grown(g->key[i], n * sizeof *g->key[i]);
    free(g->table[i]);
    g->table[i] = calloc(4 * (size_t)n, sizeof *g->table[i]);
    if (g->table[i] == NULL) {
        broken("no memory left");
    }
    for (uint32_t k = 0; k < g->locals[i]; k++) {
        *slot_for(g, i, &g->key[i][k]) = k + 1;
    }
}

/* The place for an image that was seen just so; the oldest makes room. */
static struct glance *glance_at(struct graph *g, int i, const struct image *image, uint64_t h[2])
{
    h[0] = 1;
    h[1] = 2;
    for (uint32_t k = 0; k < image->words; k++) {
        h[0] = (h[0] ^ image->word[k]) * 0x9e3779b97f4a7c15u;
        h[0] ^= h[0] >> 32;
        h[1] = (h[1] + image->word[k]) * 0xd6e8feb86659fd93u;
        h[1] ^= h[1] >> 29;
    }
    return &g->glance[i][h[0] % GLANCES];
}

/* The number of the state with this digest; a new one for a new one. */
static uint32_t number_for(struct graph *g, int i, const struct image *look)
{
    struct machine *m = &g->machine[i];
    struct hash key = machine_digest(m, m->disk.crashes < g->crashes);
    uint32_t *at = slot_for(g, i, &key);
    if (*at != 0) {
        return *at - 1;
    }
    if (g->locals[i] == g->capacity[i]) {
        grow(g, i);
        at = slot_for(g, i, &key);
    }
    uint32_t number = g->locals[i]++;
    struct local *l = &g->local[i][number];
    memset(l, 0, sizeof *l);
    l->image = image_keep(*look);
    l->disk = m->disk;
    note_core(g->scene, l, m->core);
    note_votes(l);
    g->key[i][number] = key;
    *at = number + 1;
    return number;
}

/* The number of the state that the machine is in. */
static uint32_t number_of(struct graph *g, int i)
{
    struct image look = image_look(&g->machine[i]);
    uint64_t h[2];
    struct glance *seen = glance_at(g, i, &look, h);
    if (seen->local == 0 || seen->hash[0] != h[0] || seen->hash[1] != h[1]) {
        *seen = (struct glance){{h[0], h[1]}, number_for(g, i, &look) + 1};
    }
    return seen->local - 1;
}

/* ---- actions ------------------------------------------------------------------------------------ */

static void act(struct machine *m, int action)
{
    if (action == ACT_CRASH) {
        m->disk.crashes++;
        machine_boot(m);
    } else if (action < ACT_CRASH) {
        machine_timer(m, action == ACT_ALONE);
    } else if (action < ACT_CERT) {
        machine_proposal(m, action - ACT_PROPOSAL);
    } else if (action < ACT_VOTE) {
        machine_cert(m, action - ACT_CERT);
    } else {
        machine_vote(m, (action - ACT_VOTE) / CERTS, (action - ACT_VOTE) % CERTS);
    }
}

uint32_t graph_next(struct graph *g, int member, uint32_t from, int action, uint64_t *made)
{
    struct local *l = &g->local[member][from];
    if (l->next[action] == 0) {
        struct machine *m = &g->machine[member];
        image_load(m, &l->image);
        act(m, action);
        g->asked++;
        uint32_t to = number_of(g, member);
        l = &g->local[member][from]; /* the table may have moved */
        l->next[action] = to + 1;
        l->made[action] = m->made;
    }
    *made = l->made[action];
    return l->next[action] - 1;
}

void graph_init(struct graph *g, struct scene *s, uint32_t crashes)
{
    memset(g, 0, sizeof *g);
    g->scene = s;
    g->crashes = crashes;
    for (int i = 0; i < (int)s->o.n; i++) {
        if (i == s->o.liar) {
            continue;
        }
        grow(g, i);
        g->glance[i] = grown(NULL, GLANCES * sizeof *g->glance[i]);
        memset(g->glance[i], 0, GLANCES * sizeof *g->glance[i]);
        machine_init(&g->machine[i], s, i);
        number_of(g, i);
    }
}

void graph_free(struct graph *g)
{
    for (int i = 0; i < (int)g->scene->o.n; i++) {
        if (i == g->scene->o.liar) {
            continue;
        }
        for (uint32_t k = 0; k < g->locals[i]; k++) {
            free(g->local[i][k].image.word);
        }
        free(g->local[i]);
        free(g->key[i]);
        free(g->table[i]);
        free(g->glance[i]);
        machine_free(&g->machine[i]);
    }
}
