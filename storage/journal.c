#include "storage/journal.h"

#include <stdlib.h>

enum { MAX_EXTRAS = 8 };

static void raise(uint64_t *highest, uint64_t slot)
{
    if (slot > *highest) {
        *highest = slot;
    }
}

static void note_vote(struct safety_record *r, const struct vote *v)
{
    if (v->epoch != r->epoch) {
        return;
    }
    if (v->kind == VOTE_NOTARIZE) {
        raise(&r->highest_notarize, v->slot);
    } else if (v->kind == VOTE_SKIP) {
        raise(&r->highest_skip, v->slot);
    } else {
        raise(&r->highest_finalize, v->slot);
    }
}

void journal_record_of_step(struct safety_record *r, const struct journal_step *step)
{
    if (step->epoch != r->epoch) {
        r->highest_notarize = r->highest_skip = r->highest_finalize = 0;
    }
    r->sequence = step->sequence;
    r->epoch = step->epoch;
    r->clean = false;
    memset(r->vote, 0, sizeof r->vote);
    r->votes = step->votes < LIMIT_STEP_VOTES ? step->votes : LIMIT_STEP_VOTES;
    for (uint32_t i = 0; i < r->votes; i++) {
        r->vote[i] = step->vote[i];
        note_vote(r, &step->vote[i]);
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

static enum err read_meta(const struct kv *kv, struct journal_state *out)
{
    uint8_t *value = NULL;
    size_t n = 0;
    enum err e = kv->get(kv->ctx, FAMILY_META, key_meta(META_AMNESIAC), &value, &n);
    if (e != OK && e != ERR_NOT_FOUND) {
        return e;
    }
    out->amnesiac = e == OK;
    free(value);
    value = NULL;
    e = kv->get(kv->ctx, FAMILY_META, key_meta(META_FLOOR), &value, &n);
    if (e == OK && n == 16) {
        out->floor_epoch = load_be64(value);
        out->floor_slot = load_be64(value + 8);
    } else if (e == OK) {
        e = ERR_CORRUPT;
    }
    free(value);
    return e == ERR_NOT_FOUND ? OK : e;
}

static enum err take_step(struct journal_state *out, struct message_arena *arena, struct bytes key,
                          struct bytes value)
{
    struct journal_step step;
    if (key.n != KEY_SEQUENCE_BYTES) {
        return ERR_CORRUPT;
    }
    message_arena_reset(arena);
    out->sequence = load_be64(key.p);
    if (journal_step_decode(&step, arena, value) != OK || step.sequence != out->sequence) {
        return ERR_CORRUPT;
    }
    journal_record_of_step(&out->tip, &step);
    out->steps++;
    return OK;
}

enum err journal_read(const struct kv *kv, struct journal_state *out, uint64_t *bad)
{
    *out = (struct journal_state){0};
    *bad = 0;
    TRY(read_meta(kv, out));
    static const uint8_t from[KEY_SEQUENCE_BYTES];
    struct kv_iter *it = kv->seek(kv->ctx, FAMILY_JOURNAL, bytes_of(from, sizeof from));
    if (it == NULL) {
        return ERR_NO_MEMORY;
    }
    struct message_arena arena = {0};
    struct bytes key;
    struct bytes value;
    enum err e = OK;
    while (e == OK && kv->valid(it, &key, &value)) {
        e = take_step(out, &arena, key, value);
        kv->next(it);
    }
    *bad = e == OK ? 0 : out->sequence;
    message_arena_free(&arena);
    enum err closed = kv->done(it);
    return e != OK ? e : closed;
}

/* ---- the rules of a start -------------------------------------------------------------------- */

static enum amnesia_cause behind(const struct journal_state *j, const struct safety_record *r)
{
    if (j->sequence >= r->sequence) {
        return AMNESIA_NONE;
    }
    if (r->clean) {
        return AMNESIA_BEHIND_CLEAN;
    }
    return r->amnesiac || r->sequence - j->sequence > 1 ? AMNESIA_BEHIND : AMNESIA_NONE;
}

enum storage_verdict journal_judge(const struct journal_state *j, const struct safety_record *r,
                                   enum amnesia_cause *cause)
{
    if (r == NULL) {
        *cause = AMNESIA_NO_RECORD;
        return STORAGE_AMNESIAC;
    }
    *cause = behind(j, r);
    if (*cause == AMNESIA_NONE && (j->amnesiac || (r->amnesiac && j->sequence == r->sequence))) {
        *cause = AMNESIA_MARKED;
    }
    if (*cause != AMNESIA_NONE) {
        return STORAGE_AMNESIAC;
    }
    if (j->sequence < r->sequence) {
        return STORAGE_ONE_BEHIND;
    }
    return j->sequence == 0 ? STORAGE_NEVER_SIGNED : STORAGE_CLEAN;
}

/* ---- appending at a start -------------------------------------------------------------------- */

enum err journal_append(const struct kv *kv, const struct journal_step *step,
                        const struct kv_put *extra, size_t extras)
{
    if (extras > MAX_EXTRAS) {
        return ERR_INVARIANT;
    }
    size_t cap = journal_step_size(step);
    uint8_t *value = malloc(cap);
    if (value == NULL) {
        return ERR_NO_MEMORY;
    }
    size_t n = 0;
    uint8_t key[KEY_SEQUENCE_BYTES];
    store_be64(key, step->sequence);
    enum err e = journal_step_encode(value, cap, &n, step);
    if (e == OK) {
        struct kv_put puts[MAX_EXTRAS + 1] = {
            {FAMILY_JOURNAL, bytes_of(key, sizeof key), bytes_of(value, n), false}};
        for (size_t i = 0; i < extras; i++) {
            puts[i + 1] = extra[i];
        }
        e = kv->commit(kv->ctx, puts, extras + 1, true);
    }
    free(value);
    return e;
}

enum err journal_append_record(const struct kv *kv, const struct safety_record *r)
{
    struct vote kept[LIMIT_STEP_VOTES];
    struct journal_step step = {.sequence = r->sequence, .epoch = r->epoch, .vote = kept};
    for (uint32_t i = 0; i < r->votes; i++) {
        if (r->vote[i].kind != VOTE_FINALIZE) {
            kept[step.votes++] = r->vote[i];
        }
    }
    return journal_append(kv, &step, NULL, 0);
}
