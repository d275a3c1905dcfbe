/* The disk of a node: the real storage room (storage/) on a simulated one (media.c), its thread's
 * turns carried out in virtual time. What the core gave it is remembered beside: a start must find
 * at least all of it that was reported durable, and nothing that was never given. */
#include <stdlib.h>

#include "storage/storage.h"
#include "tests/sim/sim.h"
#include "tests/sim/users.h"

enum { PRUNE = 96, BODY_BYTES = 64, TIDY_SLOTS = 64 };

void disk_free_step(struct disk_step *t)
{
    free(t->vote);
    t->vote = NULL;
}

/* Without a last word: the process is gone. */
void disk_close(struct disk *d)
{
    d->media.dead = true;
    storage_close(d->room);
    d->room = NULL;
    d->media.dead = false;
}

static void drop_copy(struct disk *d)
{
    if (d->copy != NULL) {
        media_wipe(d->copy);
        free(d->copy);
        d->copy = NULL;
    }
}

static void free_all(struct disk *d)
{
    disk_close(d);
    while (d->steps > 0) {
        disk_free_step(&d->step[--d->steps]);
    }
    drop_copy(d);
    media_wipe(&d->media);
}

void disk_free(struct node *n)
{
    free_all(&n->disk);
    free(n->disk.step);
    free(n->disk.head);
}

void disk_reset(struct sim *s, struct node *n)
{
    struct disk *d = &n->disk;
    free_all(d);
    *d = (struct disk){.step = d->step, .cap = d->cap, .head = d->head};
    d->sync_us = s->plan->sync_us;
    d->dice = dice_of(s->plan->seed, DICE_DISK, (uint64_t)n->index);
    media_init(&d->media, &d->dice);
}

struct disk_step *disk_append(struct disk *d, uint32_t votes, uint32_t certs)
{
    if (d->steps == d->cap) {
        d->cap = d->cap == 0 ? 256 : 2 * d->cap;
        d->step = realloc(d->step, d->cap * sizeof *d->step);
    }
    size_t votes_size = (votes * sizeof(struct vote) + 15) / 16 * 16;
    uint8_t *memory = malloc(votes_size + certs * sizeof(struct certificate) + 1);
    if (d->step == NULL || memory == NULL) {
        abort();
    }
    struct disk_step *t = &d->step[d->steps++];
    void *behind = memory + votes_size;
    *t = (struct disk_step){.votes = votes, .certs = certs};
    t->vote = (void *)memory;
    t->cert = behind;
    return t;
}

/* ---- turns of the storage thread --------------------------------------------------------------
 */

static void at(struct sim *s, struct node *n, enum sim_event_kind kind, uint64_t us)
{
    queue_push(s, (struct sim_event){
                      .at = us, .kind = (uint8_t)kind, .to = (int8_t)n->index, .life = n->life});
}

static void poke(struct sim *s, struct node *n)
{
    if (!n->disk.poked) {
        n->disk.poked = true;
        at(s, n, SIM_DISK, s->now);
    }
}

void disk_begin(struct sim *s, struct node *n)
{
    struct disk *d = &n->disk;
    media_begin(&d->media, s->now, clock_wall_ms(s, n) * MS);
    media_use(&d->media);
    d->media.full = d->failing > 0;
    d->media.sync_us = d->sync_us;
}

static void submitted(struct sim *s, struct node *n, enum err err, const char *what)
{
    if (err != OK) {
        sim_fail(s, SIM_BOUND, "member %d: the storage room refuses %s: %s", n->member, what,
                 err_text(err));
    }
    poke(s, n);
}

static void step_durable(struct sim *s, struct node *n, const struct disk_step *t)
{
    if (t->amnesiac) {
        n->disk.amnesiac = true;
    }
    if (t->cleared) {
        n->disk.amnesiac = n->disk.own_amnesia = false;
        for (const struct disk_step *k = t + 1; k < n->disk.step + n->disk.steps; k++) {
            n->disk.own_amnesia |= k->amnesiac; /* found again meanwhile */
        }
        account_mark(s->account, MARK_CLEARED);
    }
    for (uint32_t i = 0; i < t->votes; i++) {
        oracle_durable(s, n, &t->vote[i], true);
    }
}

static void durable(struct sim *s, struct node *n, uint64_t sequence)
{
    struct disk *d = &n->disk;
    for (uint32_t k = d->steps; k-- > 0 && d->step[k].sequence > d->journal;) {
        if (d->step[k].sequence <= sequence) {
            step_durable(s, n, &d->step[k]);
        }
    }
    d->journal = sequence > d->journal ? sequence : d->journal;
}

bool disk_poll(void *node, struct storage_done *done)
{
    struct node *n = node;
    if (n->sim->end != SIM_PASS || !storage_poll(n->disk.room, done)) {
        return false;
    }
    n->disk.broken |= done->err != OK;
    if (done->what == STORAGE_DONE_STEP && done->err == OK) {
        durable(n->sim, n, done->value);
    }
    return true;
}

void disk_stored(void *node, uint64_t token, enum err err)
{
    struct node *n = node;
    if (err == OK) {
        users_stored(n->sim, n, token - 1);
    }
}

void disk_failed(void *node, enum err err)
{
    struct node *n = node;
    (void)err;
    n->disk.told = true;
    account_mark(n->sim->account, MARK_WRITE_FAILED);
    poke(n->sim, n); /* what failed may have had nobody to tell, until the disk was back */
}

static void drain(struct sim *s, struct node *n)
{
    uint64_t life = n->life;
    steps_drain(&n->steps);
    if (s->end == SIM_PASS && n->life == life && n->disk.broken && !n->disk.heard) {
        sim_fail(s, SIM_INVARIANT, "member %d: a write failed and the core does not know",
                 n->member);
    }
}

/* Closes the store and opens it again; everything that waited is written anew. */
static void retry(struct sim *s, struct node *n)
{
    struct disk *d = &n->disk;
    enum err err = storage_retry(d->room);
    d->back = err == OK;
    if (err != OK) {
        sim_fail(s, SIM_SAFETY, "member %d: the disk is back, the storage room is not: %s",
                 n->member, err_text(err));
    }
}

void disk_turn(struct sim *s, struct node *n)
{
    struct disk *d = &n->disk;
    d->poked = false;
    d->due_us = d->due_us <= s->now ? 0 : d->due_us;
    if (s->now < d->busy_us || d->room == NULL) {
        return; /* its end looks again */
    }
    uint64_t due = UINT64_MAX;
    disk_begin(s, n);
    if (d->told && d->failing == 0) {
        retry(s, n);
    } else {
        due = storage_turn(d->room);
    }
    uint64_t end = media_end(&d->media);
    if (end > s->now || d->back) {
        d->busy_us = end;
        at(s, n, SIM_DISK_DONE, end);
        if (d->doomed) {
            at(s, n, SIM_DOOM, s->now + dice_below(&d->dice, end - s->now));
        }
    } else {
        drain(s, n);
    }
    due = due < end ? end : due;
    if (due != UINT64_MAX && (d->due_us == 0 || due < d->due_us)) {
        d->due_us = due;
        at(s, n, SIM_DISK, due);
    }
}

void disk_done(struct sim *s, struct node *n)
{
    struct disk *d = &n->disk;
    uint64_t life = n->life;
    bool back = d->back;
    d->back = false;
    if (back) {
        d->told = d->broken = d->heard = false;
        account_mark(s->account, MARK_DISK_BACK);
        durable(s, n, storage_sequence(d->room));
        steps_back(&n->steps, storage_sequence(d->room)); /* it may sign again */
    } else {
        drain(s, n);
    }
    if (n->life == life) {
        poke(s, n);
    }
}

void disk_doom(struct sim *s, struct node *n)
{
    if (n->disk.doomed) {
        account_mark(s->account, MARK_CRASH_IN_WRITE);
        node_crash(s, n, dice_chance(&n->disk.dice, 500) ? LOSE_SOME : LOSE_UNSYNCED);
    }
}

void disk_fails(struct sim *s, struct node *n, bool begin)
{
    struct disk *d = &n->disk;
    if (begin) {
        d->failing++;
        return;
    }
    if (d->failing > 0 && --d->failing == 0 && n->up && d->room != NULL) {
        poke(s, n);
    }
}

/* ---- steps ------------------------------------------------------------------------------------
 */

/* Two proposing marks always stay (storage/steps.c). */
static uint64_t second_mark(const struct disk *d)
{
    uint32_t seen = 0;
    for (uint32_t k = d->steps; k-- > 0;) {
        seen += d->step[k].proposing;
        if (seen == 2) {
            return d->step[k].sequence;
        }
    }
    return 0;
}

/* What is remembered beside need not hold more than a start asks for. */
static void prune(struct node *n)
{
    struct disk *d = &n->disk;
    const struct disk_head *h = disk_last_head(n);
    uint64_t mark = second_mark(d);
    uint32_t kept = 0;
    for (uint32_t k = 0; k < d->steps; k++) {
        struct disk_step *t = &d->step[k];
        bool above = h == NULL || (t->proposing && t->sequence >= mark) ||
                     t->sequence + 2 > d->journal;
        for (uint32_t i = 0; i < t->votes; i++) {
            above |= t->vote[i].slot > h->slot;
        }
        if (above || h->gate > d->journal) {
            d->step[kept++] = *t;
        } else {
            disk_free_step(t);
        }
    }
    d->steps = kept;
}

static void remember(struct disk *d, const struct journal_step *step)
{
    struct disk_step *t = disk_append(d, step->votes, step->certs);
    t->sequence = step->sequence;
    t->amnesiac = step->amnesiac;
    t->cleared = step->cleared;
    t->clearing_slot = step->clearing_slot;
    t->proposing = step->proposing;
    t->proposing_turn = step->proposing_turn;
    for (uint32_t i = 0; i < step->votes; i++) {
        t->vote[i] = step->vote[i];
    }
    for (uint32_t i = 0; i < step->certs; i++) {
        t->cert[i] = step->cert[i];
    }
}

enum err disk_submit(void *node, const struct journal_step *step, bool sync)
{
    struct node *n = node;
    struct sim *s = n->sim;
    struct disk *d = &n->disk;
    if (d->steps >= PRUNE) {
        prune(n);
    }
    d->written = step->sequence;
    d->own_amnesia |= step->amnesiac;
    enum err err = storage_submit_step(d->room, step, sync);
    if (err == ERR_REFUSED && sim_lies(s, n->member)) {
        n->crash_after = 1; /* a bent core signs as an amnesiac: its node ends there */
        return err;
    }
    remember(d, step);
    submitted(s, n, err, "a step");
    if (step->proposing) {
        sim_tell(s, "%d: writes that it will propose in turn %llu", n->member,
                 (unsigned long long)step->proposing_turn);
    }
    sim_trace(s, step->sequence, step->votes);
    return err;
}

/* ---- what rides with the next step
 * ---------------------------------------------------------------- */

static const uint8_t body_bytes[BODY_BYTES];

void disk_block(struct sim *s, struct node *n, uint32_t block)
{
    if ((n->holds[block] & HOLDS_HEAD) != 0) {
        return;
    }
    n->holds[block] |= HOLDS_HEAD;
    n->body_gate[block] = n->disk.written + 1;
    const struct block b = {.head = s->block[block].head};
    submitted(s, n, storage_submit_block(n->disk.room, &b.head.hash, &b), "a head");
}

void disk_body(struct sim *s, struct node *n, uint32_t block)
{
    if ((n->holds[block] & HOLDS_BODY) != 0) {
        return;
    }
    n->holds[block] |= HOLDS_BODY;
    n->body_gate[block] = n->disk.written + 1;
    if (n->disk.room != NULL) { /* a liar without a core has no disk */
        const struct block b = {.body = bytes_of(body_bytes, sizeof body_bytes)};
        submitted(s, n, storage_submit_block(n->disk.room, &s->block[block].head.hash, &b),
                  "a body");
    }
}

struct disk_head *disk_head(struct node *n)
{
    struct disk *d = &n->disk;
    struct disk_head *h = &d->head[d->heads++ % HEAD_LOG];
    h->gate = d->written + 1;
    return h;
}

const struct disk_head *disk_last_head(const struct node *n)
{
    return n->disk.heads == 0 ? NULL : &n->disk.head[(n->disk.heads - 1) % HEAD_LOG];
}

/* As finality.c of sequencer/node does. */
void disk_final(struct sim *s, struct node *n, const struct effect *e)
{
    const struct certificate *cert = e->u.final.cert;
    const struct header *h = &e->u.final.head->header;
    bool own = cert != NULL && cert->slot == h->slot && hash_equal(&cert->block, &e->u.final.block);
    const struct storage_final f = {.hash = e->u.final.block,
                                    .header = h,
                                    .cert = own ? cert : NULL,
                                    .bench = bytes_of(e->u.final.bench, e->u.final.bench_len)};
    submitted(s, n, storage_submit_final(n->disk.room, &f), "a final block");
    if (h->slot % TIDY_SLOTS == 0) {
        disk_begin(s, n);
        n->disk.media.full = false;
        n->disk.tidied = h->slot;
        if (storage_prune_journal(n->disk.room, s->epoch.epoch, h->slot) != OK) {
            sim_fail(s, SIM_SAFETY, "member %d: the journal is not pruned", n->member);
        }
    }
}

void disk_pool(struct sim *s, struct node *n, const struct hash *tx, struct bytes raw,
               uint64_t token)
{
    const struct storage_put put = {.table = TABLE_POOL,
                                    .key = bytes_of(tx->b, sizeof tx->b),
                                    .value = raw,
                                    .erase = raw.n == 0};
    if (n->disk.room != NULL) {
        submitted(s, n, storage_submit_puts(n->disk.room, &put, 1, token != 0, token),
                  "a transaction");
    }
}
