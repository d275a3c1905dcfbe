/* What a start finds on the disk, held against what was given to it: all of it that was reported
 * durable must be there, and nothing that was never given. */
#include <stdlib.h>

#include "storage/storage.h"
#include "tests/sim/sim.h"

struct found {
    struct sim *s;
    struct node *n;
    struct disk now; /* its steps */
};

static bool take_step(void *arg, const struct journal_step *step)
{
    struct found *f = arg;
    disk_remember(&f->now, step);
    return true;
}

static bool same_vote(const struct vote *a, const struct vote *b)
{
    return a->kind == b->kind && a->slot == b->slot && a->epoch == b->epoch &&
           hash_equal(&a->block, &b->block) &&
           memcmp(&a->signature, &b->signature, sizeof a->signature) == 0;
}

static bool has_vote(const struct disk_step *t, const struct vote *v)
{
    for (uint32_t i = 0; t != NULL && i < t->votes; i++) {
        if (same_vote(&t->vote[i], v)) {
            return true;
        }
    }
    return false;
}

static bool same_certificates(const struct disk_step *a, const struct disk_step *b)
{
    bool same = a->certs == b->certs;
    for (uint32_t i = 0; same && i < a->certs; i++) {
        same = a->cert[i].kind == b->cert[i].kind && a->cert[i].slot == b->cert[i].slot &&
               a->cert[i].signers == b->cert[i].signers &&
               hash_equal(&a->cert[i].block, &b->cert[i].block);
    }
    return same;
}

static const struct disk_step *find_step(const struct disk *d, uint64_t sequence)
{
    uint32_t low = 0;
    uint32_t high = d->steps;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (d->step[mid].sequence < sequence) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < d->steps && d->step[low].sequence == sequence ? &d->step[low] : NULL;
}

static bool tidied_away(const struct disk *d, const struct disk_step *t)
{
    for (uint32_t i = 0; i < t->votes; i++) {
        if (t->vote[i].slot > d->tidied) {
            return false;
        }
    }
    for (uint32_t i = 0; i < t->certs; i++) {
        if (t->cert[i].slot > d->tidied) {
            return false;
        }
    }
    return true;
}

/* A step as it was given, against what the start found of it (NULL: nothing). */
static void compare(struct sim *s, struct node *n, const struct disk_step *given,
                    const struct disk_step *found)
{
    const struct disk *d = &n->disk;
    bool durable = given->sequence <= d->journal;
    if (found == NULL && durable && !d->unsure && !tidied_away(d, given)) {
        sim_fail(s, SIM_SAFETY, "member %d: step %llu was durable and is gone", n->member,
                 (unsigned long long)given->sequence);
    }
    for (uint32_t i = 0; i < given->votes; i++) {
        bool kept = has_vote(found, &given->vote[i]);
        if (found != NULL && !kept && durable && !d->unsure) {
            sim_fail(s, SIM_SAFETY, "member %d: step %llu was durable and lacks a vote", n->member,
                     (unsigned long long)given->sequence);
        }
        if (!kept && !durable) { /* it never left */
            oracle_forget(s, n, &given->vote[i]);
        }
    }
    s->account->marks[MARK_LOST_STEP] += found == NULL && !durable;
    s->account->marks[MARK_TORN_STEP] += found != NULL && !durable;
    for (uint32_t i = 0; found != NULL && i < found->votes; i++) {
        const struct vote *v = &found->vote[i];
        bool bare = v->kind == VOTE_FINALIZE && found->certs < given->certs;
        if (!has_vote(given, v) || bare) {
            sim_fail(s, SIM_SAFETY, "member %d: step %llu holds a vote that it never wrote%s",
                     n->member, (unsigned long long)given->sequence,
                     bare ? " without its evidence" : "");
        }
    }
    if (found != NULL && found->certs > 0 && !same_certificates(given, found)) {
        sim_fail(s, SIM_SAFETY, "member %d: step %llu holds certificates that it never wrote",
                 n->member, (unsigned long long)given->sequence);
    }
}

static void find_steps(struct sim *s, struct node *n)
{
    struct disk *d = &n->disk;
    struct found f = {.s = s, .n = n};
    if (storage_walk_journal(d->room, take_step, &f) != OK) {
        sim_fail(s, SIM_SAFETY, "member %d: the journal does not decode", n->member);
    }
    for (uint32_t k = 0; k < d->steps; k++) {
        compare(s, n, &d->step[k], find_step(&f.now, d->step[k].sequence));
        disk_free_step(&d->step[k]);
    }
    free(d->step);
    d->step = f.now.step;
    d->steps = f.now.steps;
    d->cap = f.now.cap;
}

static void find_head(struct sim *s, struct node *n)
{
    struct disk *d = &n->disk;
    struct disk_head *h = &d->head[0];
    struct storage_buffer bench = {0};
    struct hash hash;
    uint64_t durable = 0;
    uint64_t epoch = 0;
    for (uint32_t i = 0; durable == 0 && i < HEAD_LOG && i < d->heads; i++) {
        const struct disk_head *was = &d->head[(d->heads - 1 - i) % HEAD_LOG];
        durable = was->gate <= d->journal ? was->slot : 0;
    }
    d->heads = 0;
    h->slot = 0;
    enum err err = storage_highest_final(d->room, &epoch, &h->slot, &hash, &bench);
    if (err == OK && bench.n <= sizeof h->bench) {
        err = storage_certificate(d->room, epoch, h->slot, &h->cert);
        h->block = world_find(s, &hash);
        h->height = h->block == NO_BLOCK ? 0 : s->block[h->block].head.header.height;
        h->bench_len = bench.n;
        memcpy(h->bench, bench.p, bench.n);
        h->gate = 0;
        d->heads = 1;
    }
    free(bench.p);
    if ((err != OK && err != ERR_NOT_FOUND) || (d->heads == 1 && err != OK) ||
        (d->heads == 1 && h->block == NO_BLOCK)) {
        sim_fail(s, SIM_SAFETY, "member %d: the final block of slot %llu has no certificate",
                 n->member, (unsigned long long)h->slot);
    } else if (h->slot < durable && !d->unsure) {
        sim_fail(s, SIM_SAFETY, "member %d: final slot %llu was durable, found is %llu", n->member,
                 (unsigned long long)durable, (unsigned long long)h->slot);
    }
}

static uint8_t find_block(struct node *n, const struct hash *hash, struct storage_buffer *buf)
{
    struct block b;
    if (storage_get_block(n->disk.room, hash, buf, &b) != OK) {
        return 0;
    }
    return b.body.n > 0 ? HOLDS_HEAD | HOLDS_BODY : HOLDS_HEAD;
}

static void find_blocks(struct sim *s, struct node *n)
{
    struct storage_buffer buf = {0};
    for (uint32_t i = 0; i < s->blocks; i++) {
        bool empty = world_empty(&s->block[i]); /* it has no body that could be stored */
        bool asked_for = (n->holds[i] & HOLDS_HEAD) != 0; /* a body is found by its head */
        uint8_t held =
            asked_for ? n->holds[i] & (empty ? HOLDS_HEAD : HOLDS_HEAD | HOLDS_BODY) : 0;
        uint8_t found = held == 0 ? 0 : find_block(n, &s->block[i].head.hash, &buf);
        bool durable = n->body_gate[i] <= n->disk.journal;
        if (found != held && durable && !n->disk.unsure) {
            sim_fail(s, SIM_SAFETY, "member %d: the block of slot %llu was durable and is gone",
                     n->member, (unsigned long long)s->block[i].head.header.slot);
        }
        n->holds[i] = found & held & (HOLDS_HEAD | HOLDS_BODY);
        n->body_gate[i] = 0;
    }
    free(buf.p);
}

void disk_found(struct sim *s, struct node *n)
{
    find_steps(s, n);
    find_head(s, n);
    find_blocks(s, n);
}
