/* What a start finds on the disk, whether that may be, and its way back into the core. */
#include <stdlib.h>

#include "storage/storage.h"
#include "tests/sim/sim.h"

enum { YOUNG_US = 2 * SECOND, STARTS_MOST = 3 };

/* ---- the room is opened ----------------------------------------------------------------------- */

static enum err open_once(struct sim *s, struct node *n, enum storage_verdict *verdict, char *why,
                          size_t why_len)
{
    struct disk *d = &n->disk;
    const struct storage_options o = {.dir = "node",
                                      .genesis = s->epoch.genesis,
                                      .member = s->epoch.member[n->member].address,
                                      .create = !d->made || d->made_anew,
                                      .create_amnesiac = d->made_anew,
                                      .open_kv = media_open,
                                      .io = &d->media.io,
                                      .no_threads = true};
    disk_begin(s, n);
    d->media.full = false;
    return storage_open(&d->room, &o, verdict, why, why_len);
}

/* The power fails again while it starts: what it has written so far may be there, or not. */
static bool fails_again(struct sim *s, struct node *n)
{
    struct disk *d = &n->disk;
    uint64_t took = media_end(&d->media) - s->now;
    if (!d->made || d->made_anew || took == 0 || !dice_chance(&d->dice, 100)) {
        return false;
    }
    disk_close(d);
    media_crash(&d->media, s->now + dice_below(&d->dice, took), MEDIA_LOSE_SOME);
    account_mark(s->account, MARK_CRASH_IN_START);
    return true;
}

/* What does not open is moved away, as the sentence says; the record stays. */
static void open_room(struct sim *s, struct node *n, enum storage_verdict *verdict)
{
    struct disk *d = &n->disk;
    char why[512];
    enum err err = open_once(s, n, verdict, why, sizeof why);
    for (int k = 0; err == OK && k < STARTS_MOST && fails_again(s, n); k++) {
        err = open_once(s, n, verdict, why, sizeof why);
    }
    if (err == ERR_CORRUPT && d->unsure) {
        account_mark(s->account, MARK_DAMAGE_FOUND);
        media_wipe_tables(&d->media);
        d->made_anew = !d->media.file[MEDIA_SAFETY].made;
        err = open_once(s, n, verdict, why, sizeof why);
    }
    if (err != OK) {
        sim_fail(s, SIM_SAFETY, "member %d does not start: %s", n->member, why);
        return;
    }
    media_settle(&d->media);
    d->made = true;
    d->made_anew = false;
}

/* ---- what it found ----------------------------------------------------------------------------- */

struct found {
    struct sim *s;
    struct node *n;
    struct disk now; /* its steps */
};

static bool take_step(void *arg, const struct journal_step *step)
{
    struct found *f = arg;
    struct disk_step *t = disk_append(&f->now, step->votes, step->certs);
    t->sequence = step->sequence;
    t->amnesiac = step->amnesiac;
    t->cleared = step->cleared;
    t->clearing_slot = step->clearing_slot;
    t->proposing = step->proposing;
    t->proposing_turn = step->proposing_turn;
    for (uint32_t i = 0; i < t->votes; i++) {
        t->vote[i] = step->vote[i];
    }
    for (uint32_t i = 0; i < t->certs; i++) {
        t->cert[i] = step->cert[i];
    }
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
        if (!has_vote(given, &found->vote[i])) {
            sim_fail(s, SIM_SAFETY, "member %d: step %llu holds a vote that it never wrote",
                     n->member, (unsigned long long)given->sequence);
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
        uint8_t held = n->holds[i] & (empty ? HOLDS_HEAD : HOLDS_HEAD | HOLDS_BODY);
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

void disk_verdict(struct sim *s, struct node *n, struct core_config *config)
{
    struct disk *d = &n->disk;
    bool young = s->now < 1 * SECOND + YOUNG_US;
    enum storage_verdict verdict = STORAGE_AMNESIAC;
    open_room(s, n, &verdict);
    if (s->end != SIM_PASS) {
        return;
    }
    if (verdict == STORAGE_AMNESIAC && !d->own_amnesia) {
        sim_fail(s, SIM_SAFETY, "member %d: an ordinary crash looks like a lost journal",
                 n->member);
    }
    find_steps(s, n);
    find_head(s, n);
    find_blocks(s, n);
    d->amnesiac = verdict == STORAGE_AMNESIAC;
    d->unsure = false;
    s->account->marks[MARK_ONE_BEHIND] += verdict == STORAGE_ONE_BEHIND;
    config->ask_before_signing = !(verdict == STORAGE_NEVER_SIGNED && young);
    config->ask_without_limit = verdict == STORAGE_ONE_BEHIND;
    config->observe_until_cleared = d->amnesiac;
}

/* ---- blocks that the journal names
 * ---------------------------------------------------------------- */

struct names {
    uint32_t block[1024];
    uint32_t n;
};

static void name_chain(struct sim *s, const struct node *n, struct names *names,
                       const struct hash *hash, uint64_t floor)
{
    uint32_t b = world_find(s, hash);
    while (b != NO_BLOCK && (n->holds[b] & HOLDS_HEAD) != 0 &&
           s->block[b].head.header.slot > floor) {
        for (uint32_t i = 0; i < names->n; i++) {
            if (names->block[i] == b) {
                return;
            }
        }
        if (names->n == sizeof names->block / sizeof *names->block) {
            sim_fail(s, SIM_BOUND, "a journal names too many blocks");
            return;
        }
        names->block[names->n++] = b;
        b = world_parent(s, b);
    }
}

static void restore_blocks(struct sim *s, struct node *n, struct names *names)
{
    for (uint32_t done = 0; done < names->n; done++) {
        uint32_t low = done;
        for (uint32_t i = done + 1; i < names->n; i++) {
            uint64_t slot = s->block[names->block[i]].head.header.slot;
            low = slot < s->block[names->block[low]].head.header.slot ? i : low;
        }
        uint32_t b = names->block[low];
        names->block[low] = names->block[done];
        names->block[done] = b;
        bool body = (n->holds[b] & HOLDS_BODY) != 0 || world_empty(&s->block[b]);
        if (core_restore_block(n->core, &s->block[b].head, body) != OK) {
            sim_fail(s, SIM_INVARIANT, "member %d: a stored block does not go back", n->member);
        }
    }
}

static uint64_t restore_final(struct sim *s, struct node *n)
{
    const struct disk_head *h = disk_last_head(n);
    if (h == NULL) {
        return 0;
    }
    const struct core_restored_final f = {.head = &s->block[h->block].head,
                                          .cert = &h->cert,
                                          .executed = true,
                                          .bench = h->bench,
                                          .bench_len = h->bench_len};
    if (core_restore_final(n->core, &f) != OK) {
        sim_fail(s, SIM_INVARIANT, "member %d: the final block does not go back", n->member);
    }
    n->holds[h->block] |= HOLDS_EXECUTED | HOLDS_HEAD | HOLDS_BODY;
    return h->slot;
}

static void restore_steps(struct sim *s, struct node *n, uint64_t floor)
{
    const struct disk *d = &n->disk;
    enum err err = OK;
    for (uint32_t k = 0; k < d->steps; k++) {
        const struct disk_step *t = &d->step[k];
        for (uint32_t i = 0; i < t->certs && err == OK; i++) {
            err = t->cert[i].slot > floor ? core_restore_certificate(n->core, &t->cert[i]) : OK;
        }
    }
    for (uint32_t k = 0; k < d->steps; k++) {
        const struct disk_step *t = &d->step[k];
        for (uint32_t i = 0; i < t->votes && err == OK; i++) {
            err = t->vote[i].slot > floor ? core_restore_vote(n->core, &t->vote[i]) : OK;
            oracle_durable(s, n, &t->vote[i], true);
        }
        if (t->proposing) {
            core_restore_proposing(n->core, t->proposing_turn);
        }
    }
    if (err != OK) {
        sim_fail(s, SIM_INVARIANT, "member %d: the journal does not go back: %s", n->member,
                 err_text(err));
    }
}

void disk_restore(struct sim *s, struct node *n)
{
    static struct names names;
    struct disk *d = &n->disk;
    uint64_t floor = restore_final(s, n);
    uint64_t clearing = 0;
    names.n = 0;
    for (uint32_t k = 0; k < d->steps; k++) {
        const struct disk_step *t = &d->step[k];
        for (uint32_t i = 0; i < t->votes; i++) {
            name_chain(s, n, &names, &t->vote[i].block, floor);
        }
        for (uint32_t i = 0; i < t->certs; i++) {
            name_chain(s, n, &names, &t->cert[i].block, floor);
        }
        clearing = t->cleared && t->clearing_slot > clearing ? t->clearing_slot : clearing;
    }
    restore_blocks(s, n, &names);
    restore_steps(s, n, floor);
    if (clearing != 0) {
        core_restore_floor(n->core, clearing);
    }
    d->journal = d->written = storage_sequence(d->room);
    core_restore_sequence(n->core, d->journal);
}
