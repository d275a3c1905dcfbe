/* CONSENSUS 4 and 8 seen from outside: each write of a member is judged by what its disk held
 * before. Shares with the core the shapes of effects, none of its code. */
#include "tests/explore/explore.h"

struct case_file {
    const struct scene *s;
    const struct disk *d;
    const struct effect *e;
    int self;
    uint64_t final; /* highest finalize certificate that it held before */
};

static uint64_t first_of(const struct scene *s, uint64_t slot)
{
    return (slot - 1) / s->o.turn_slots * s->o.turn_slots + 1;
}

static bool disk_has(const struct disk *d, int kind, uint64_t from, uint64_t to)
{
    for (int i = 0; i < d->votes; i++) {
        if (d->vote[i].kind == kind && d->vote[i].slot >= from && d->vote[i].slot <= to) {
            return true;
        }
    }
    return false;
}

/* A certificate of one of these kinds in this write or on the disk, for a block that has `block`
 * among its ancestors or is it. */
static bool proof_written(const struct case_file *f, int block)
{
    for (uint32_t i = 0; i < f->e->u.persist.certs; i++) {
        const struct certificate *c = f->e->u.persist.cert[i];
        int of = c->kind == VOTE_SKIP ? -1 : scene_block_of(f->s, &c->block);
        if (of >= 0 && scene_is_ancestor(f->s, block, of)) {
            return true;
        }
    }
    return false;
}

/* A finalize certificate of this turn, in the write or on the disk, at or above `u`, below `s`. That
 * of the delivered head is written when it comes, and durable with the next write: with this one. */
static bool excused(const struct case_file *f, uint64_t u, uint64_t s)
{
    int head = f->d->final_cert_coming - 1;
    if (head >= 0 && f->s->cert[head].slot >= u && f->s->cert[head].slot < s) {
        return true;
    }
    for (uint32_t i = 0; i < f->e->u.persist.certs; i++) {
        const struct certificate *c = f->e->u.persist.cert[i];
        if (c->kind == VOTE_FINALIZE && c->slot >= u && c->slot < s) {
            return true;
        }
    }
    for (int i = 0; i < f->s->certs; i++) {
        const struct cert_entry *c = &f->s->cert[i];
        if ((f->d->certs >> i & 1) != 0 && c->kind == FINALIZE && c->slot >= u && c->slot < s) {
            return true;
        }
    }
    return false;
}

/* Does the write itself hold such a vote before number `n`? A step is one moment. */
static bool write_has(const struct case_file *f, uint32_t n, int kind, uint64_t from, uint64_t to)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct vote *v = &f->e->u.persist.vote[i];
        if (v->kind - 1 == kind && v->slot >= from && v->slot <= to) {
            return true;
        }
    }
    return false;
}

static bool has(const struct case_file *f, uint32_t n, int kind, uint64_t from, uint64_t to)
{
    return disk_has(f->d, kind, from, to) || write_has(f, n, kind, from, to);
}

static void judge_notarize(const struct case_file *f, uint32_t n, const struct vote *v)
{
    int block = scene_block_of(f->s, &v->block);
    if (block < 0 || f->s->block[block].head.header.slot != v->slot) {
        broken("N1: member %d notarizes an unknown block at slot %llu", f->self,
               (unsigned long long)v->slot);
    }
    if (has(f, n, NOTARIZE, v->slot, v->slot) || has(f, n, SKIP, v->slot, v->slot)) {
        broken("N2: member %d notarizes slot %llu again, or beside its skip", f->self,
               (unsigned long long)v->slot);
    }
    if (v->slot <= f->final) {
        broken("N2: member %d notarizes slot %llu, not above final %llu", f->self,
               (unsigned long long)v->slot, (unsigned long long)f->final);
    }
    const struct header *p = &f->s->block[f->s->block[block].parent].head.header;
    bool inside = v->slot != first_of(f->s, v->slot);
    if (inside && (p->slot != v->slot - 1 || (p->flags & FLAG_LAST) != 0)) {
        broken("N4: member %d notarizes slot %llu on a parent that ended the turn", f->self,
               (unsigned long long)v->slot);
    }
}

static void judge_skip(const struct case_file *f, uint32_t n, const struct vote *v)
{
    uint64_t last = first_of(f->s, v->slot) + f->s->o.turn_slots - 1;
    if (has(f, n, SKIP, v->slot, v->slot)) {
        broken("S: member %d skips slot %llu twice", f->self, (unsigned long long)v->slot);
    }
    if (has(f, n, FINALIZE, v->slot, last)) {
        broken("S2: member %d skips slot %llu beside its finalize", f->self,
               (unsigned long long)v->slot);
    }
}

static void judge_finalize(const struct case_file *f, uint32_t n, const struct vote *v)
{
    int block = scene_block_of(f->s, &v->block);
    if (has(f, n, FINALIZE, v->slot, v->slot)) {
        broken("F: member %d finalizes slot %llu twice", f->self, (unsigned long long)v->slot);
    }
    if (v->slot <= f->final) {
        broken("F4: member %d finalizes slot %llu, not above final %llu", f->self,
               (unsigned long long)v->slot, (unsigned long long)f->final);
    }
    if (block < 0 || !proof_written(f, block)) {
        broken("F1: member %d finalizes slot %llu, and its proof is not in the write", f->self,
               (unsigned long long)v->slot);
    }
    for (uint64_t u = first_of(f->s, v->slot); u <= v->slot; u++) {
        if (has(f, n, SKIP, u, u) && !excused(f, u, v->slot)) {
            broken("F3: member %d finalizes slot %llu behind its skip of %llu", f->self,
                   (unsigned long long)v->slot, (unsigned long long)u);
        }
    }
    for (int b = block; b > 0; b = f->s->block[b].parent) {
        if (((f->d->heads | f->d->heads_coming) >> b & 1) == 0) {
            broken("F1: member %d finalizes slot %llu, and a header below is not on its disk",
                   f->self, (unsigned long long)v->slot);
        }
    }
}

void rules_judge_write(const struct scene *s, const struct disk *d, const struct effect *persist,
                       int self, uint64_t final)
{
    struct case_file f = {s, d, persist, self, final};
    for (uint32_t i = 0; i < persist->u.persist.votes; i++) {
        const struct vote *v = &persist->u.persist.vote[i];
        if (v->signer != self || v->epoch != s->epoch.epoch || v->slot == 0) {
            broken("member %d writes a vote that is not its own", self);
        }
        if (v->kind == VOTE_NOTARIZE) {
            judge_notarize(&f, i, v);
        } else if (v->kind == VOTE_SKIP) {
            judge_skip(&f, i, v);
        } else {
            judge_finalize(&f, i, v);
        }
    }
}
