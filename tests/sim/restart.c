/* A start: the room is opened, and what it holds goes back into the core (CONSENSUS 8). */
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
    d->media.full = d->media.sync_fails = false;
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

/* Who finds a final head whose block or certificate is gone does not start (sequencer/node/restart.c):
 * a flipped bit in the log, after power failed between the flushes of two families. */
static bool head_stands(struct storage *room)
{
    uint64_t epoch, slot;
    struct hash hash;
    struct certificate cert;
    struct block block;
    struct storage_buffer bench = {0};
    struct storage_buffer bytes = {0};
    enum err err = storage_highest_final(room, &epoch, &slot, &hash, &bench);
    bool stands = err == ERR_NOT_FOUND ||
                  (err == OK && storage_certificate(room, epoch, slot, &cert) == OK &&
                   storage_get_block(room, &hash, &bytes, &block) == OK);
    free(bench.p);
    free(bytes.p);
    return stands;
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
    if (err == OK && d->unsure && !head_stands(d->room)) {
        disk_close(d);
        err = ERR_CORRUPT;
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

void disk_verdict(struct sim *s, struct node *n, struct core_config *config)
{
    struct disk *d = &n->disk;
    bool young = s->now < 1 * SECOND + YOUNG_US;
    enum storage_verdict verdict = STORAGE_AMNESIAC;
    open_room(s, n, &verdict);
    if (s->end != SIM_PASS) {
        return;
    }
    if (verdict == STORAGE_AMNESIAC && !d->own_amnesia && !sim_lies(s, n->member)) {
        sim_fail(s, SIM_SAFETY, "member %d: an ordinary crash looks like a lost journal",
                 n->member);
    }
    disk_found(s, n);
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
