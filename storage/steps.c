#define _GNU_SOURCE
#include "storage/internal.h"

#include <stdlib.h>

/* The journal of a running member: steps going in, the walk at a restart, pruning. */

static enum err put_step(struct op *op, const struct journal_step *step, size_t cap)
{
    uint8_t key[KEY_SEQUENCE_BYTES];
    store_be64(key, step->sequence);
    uint8_t *room = op_put_room(op, FAMILY_JOURNAL, bytes_of(key, sizeof key), cap);
    struct kv_put *put = &op->put[op->puts - 1];
    return journal_step_encode(room, cap, &put->value.n, step);
}

/* What changes for the storage with a step: taken over only when the writer has the step. */
struct change {
    struct safety_record tip;
    bool amnesiac;
    uint64_t floor_epoch, floor_slot;
};

static void put_floor(struct op *op, struct op_place floor)
{
    uint8_t value[16];
    store_be64(value, floor.epoch);
    store_be64(value + 8, floor.slot);
    op_put(op, FAMILY_META, key_meta(META_FLOOR), bytes_of(value, sizeof value));
    op->mark[OP_FLOOR] = floor;
}

static void put_amnesia(struct op *op, const struct storage *s, const struct journal_step *step,
                        const struct change *c)
{
    if (c->amnesiac && !s->amnesiac) {
        op_put(op, FAMILY_META, key_meta(META_AMNESIAC), bytes_of("\1", 1));
    }
    if (!c->amnesiac && step->cleared) {
        op_erase(op, FAMILY_META, key_meta(META_AMNESIAC));
        put_floor(op, (struct op_place){c->floor_epoch, c->floor_slot});
    }
}

static enum err attach_record(struct op *op, const struct safety_record *tip)
{
    op->record = malloc(sizeof *op->record);
    if (op->record == NULL) {
        return ERR_NO_MEMORY;
    }
    *op->record = *tip;
    return OK;
}

static enum err make_step_op(struct op **out, const struct storage *s,
                             const struct journal_step *step, const struct change *c, bool sync)
{
    size_t cap = journal_step_size(step);
    struct op *op = op_new(3, KEY_SEQUENCE_BYTES + cap + 64);
    if (op == NULL) {
        return ERR_NO_MEMORY;
    }
    op->report = OP_STEP;
    op->value = step->sequence;
    op->sync = sync;
    enum err e = put_step(op, step, cap);
    put_amnesia(op, s, step, c);
    if (e == OK && s->is_member) {
        e = attach_record(op, &c->tip);
    }
    if (e != OK) {
        op_free(op);
        return e;
    }
    *out = op;
    return OK;
}

/* An amnesiac signs nothing, an observer neither. */
static enum err check_step(const struct storage *s, const struct journal_step *step)
{
    bool jump = step->amnesiac && step->sequence > s->tip.sequence;
    if (step->sequence != s->tip.sequence + 1 && !jump) {
        return ERR_INVARIANT;
    }
    if (step->votes > LIMIT_STEP_VOTES) {
        return ERR_TOO_LARGE;
    }
    bool may_vote = s->is_member && !s->amnesiac && !step->amnesiac;
    return step->votes > 0 && !may_vote ? ERR_REFUSED : OK;
}

static struct change change_of(const struct storage *s, const struct journal_step *step)
{
    struct change c = {s->tip, s->amnesiac, s->floor_epoch, s->floor_slot};
    if (step->amnesiac) {
        c.amnesiac = s->is_member;
    } else if (step->cleared) {
        c.amnesiac = false;
        c.floor_epoch = step->epoch;
        c.floor_slot = step->clearing_slot;
    }
    journal_record_of_step(&c.tip, step);
    c.tip.amnesiac = c.amnesiac;
    return c;
}

enum err storage_submit_step(struct storage *s, const struct journal_step *step, bool sync)
{
    TRY(check_step(s, step));
    struct change c = change_of(s, step);
    struct op *op = NULL;
    TRY(make_step_op(&op, s, step, &c, sync || step->amnesiac || step->cleared));
    TRY(storage_hand_over(s, op));
    s->tip = c.tip;
    s->amnesiac = c.amnesiac;
    s->floor_epoch = c.floor_epoch;
    s->floor_slot = c.floor_slot;
    s->journal_steps++;
    return OK;
}

uint64_t storage_sequence(struct storage *s)
{
    pthread_mutex_lock(&s->writer.lock);
    uint64_t sequence = s->writer.durable_sequence;
    pthread_mutex_unlock(&s->writer.lock);
    return sequence;
}

void storage_floor(struct storage *s, uint64_t *epoch, uint64_t *slot)
{
    *epoch = s->amnesiac ? UINT64_MAX : s->floor_epoch;
    *slot = s->amnesiac ? UINT64_MAX : s->floor_slot;
}

/* ---- walking --------------------------------------------------------------------------------- */

static enum err walk(struct storage *s, bool (*each)(void *arg, const struct journal_step *step),
                     void *arg)
{
    static const uint8_t from[KEY_SEQUENCE_BYTES];
    struct kv_iter *it = s->kv.seek(s->kv.ctx, FAMILY_JOURNAL, bytes_of(from, sizeof from));
    if (it == NULL) {
        return ERR_NO_MEMORY;
    }
    struct message_arena arena = {0};
    struct bytes key;
    struct bytes value;
    enum err e = OK;
    bool go_on = true;
    while (go_on && s->kv.valid(it, &key, &value)) {
        struct journal_step step;
        message_arena_reset(&arena);
        if (journal_step_decode(&step, &arena, value) != OK) {
            e = ERR_CORRUPT;
            break;
        }
        go_on = each(arg, &step);
        s->kv.next(it);
    }
    message_arena_free(&arena);
    enum err closed = s->kv.done(it);
    return e != OK ? e : closed;
}

enum err storage_walk_journal(struct storage *s,
                              bool (*each)(void *arg, const struct journal_step *step), void *arg)
{
    TRY(storage_read_begin(s));
    enum err e = walk(s, each, arg);
    storage_read_end(s);
    return e;
}

/* ---- pruning --------------------------------------------------------------------------------- */

/* Two proposing marks always stay: when the later one was written, the turn of the one before the
 * earlier lay at least a whole turn back (CONSENSUS 8: written in the turn before its own). */
struct prune {
    struct storage *s;
    uint64_t epoch, slot;
    uint64_t proposing[2];   /* the last two steps with a mark */
    uint64_t last;
    uint64_t from;           /* a run of steps to drop begins here; 0: none */
    uint64_t kept;
    enum err err;
};

static bool is_below(const struct prune *p, uint64_t epoch, uint64_t slot)
{
    return epoch != p->epoch ? epoch < p->epoch : slot <= p->slot;
}

static bool may_drop(const struct prune *p, const struct journal_step *step)
{
    if (step->sequence == p->last) {
        return false;
    }
    if (step->cleared && !is_below(p, step->epoch, step->clearing_slot)) {
        return false;
    }
    if (step->proposing && step->epoch >= p->epoch && step->sequence >= p->proposing[0]) {
        return false;
    }
    for (uint32_t i = 0; i < step->votes; i++) {
        if (!is_below(p, step->vote[i].epoch, step->vote[i].slot)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < step->certs; i++) {
        if (!is_below(p, step->cert[i].epoch, step->cert[i].slot)) {
            return false;
        }
    }
    return true;
}

static bool find_marks(void *arg, const struct journal_step *step)
{
    struct prune *p = arg;
    p->last = step->sequence;
    if (step->proposing) {
        p->proposing[0] = p->proposing[1];
        p->proposing[1] = step->sequence;
    }
    return true;
}

static bool drop_runs(void *arg, const struct journal_step *step)
{
    struct prune *p = arg;
    if (may_drop(p, step)) {
        p->from = p->from == 0 ? step->sequence : p->from;
        return true;
    }
    p->kept++;
    if (p->from != 0) {
        uint8_t from[KEY_SEQUENCE_BYTES];
        uint8_t to[KEY_SEQUENCE_BYTES];
        store_be64(from, p->from);
        store_be64(to, step->sequence);
        p->err = p->s->kv.erase_range(p->s->kv.ctx, FAMILY_JOURNAL, bytes_of(from, sizeof from),
                                      bytes_of(to, sizeof to));
        p->from = 0;
    }
    return p->err == OK;
}

/* The floor goes the way of all writes; what lies below is dropped once it is durable. */
static enum err raise_floor(struct storage *s, struct op_place to)
{
    struct op_place floor = {s->floor_epoch, s->floor_slot};
    floor = op_place_higher(floor, to);
    if (floor.epoch == s->floor_epoch && floor.slot == s->floor_slot) {
        return OK;
    }
    struct op *op = op_new(1, 64);
    if (op == NULL) {
        return ERR_NO_MEMORY;
    }
    put_floor(op, floor);
    enum err e = storage_hand_over(s, op);
    if (e == OK) {
        s->floor_epoch = floor.epoch;
        s->floor_slot = floor.slot;
    }
    return e == ERR_BUSY ? OK : e; /* a later call does it */
}

static enum err prune(struct storage *s, struct op_place upto)
{
    struct prune p = {.s = s, .epoch = upto.epoch, .slot = upto.slot};
    TRY(walk(s, find_marks, &p));
    TRY(walk(s, drop_runs, &p));
    TRY(p.err);
    s->journal_steps = p.kept;
    return OK;
}

enum err storage_prune_journal(struct storage *s, uint64_t epoch, uint64_t slot)
{
    if (s->amnesiac || s->journal_steps <= LIMIT_STORAGE_PRUNE) {
        return OK;
    }
    struct op_place upto = {epoch, slot};
    upto = op_place_lower(upto, writer_durable(&s->writer, OP_FINAL));
    TRY(raise_floor(s, upto));
    upto = op_place_lower(upto, writer_durable(&s->writer, OP_FLOOR));
    TRY(storage_read_begin(s));
    enum err e = prune(s, upto);
    storage_read_end(s);
    return e;
}
