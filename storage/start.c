#define _GNU_SOURCE
#include "storage/start.h"

/* The rules of a start (CONSENSUS 8). */

/* ---- a new journal --------------------------------------------------------------------------- */

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static enum err rewrite_record(struct storage *s)
{
    return s->safety.fd >= 0 && s->safety.found
               ? safety_file_write(&s->safety, &s->tip)
               : safety_file_create(&s->safety, s->io, s->safety_path, &s->tip);
}

enum { IDENTITY_PUTS = 3 };

static void identity(struct kv_put out[IDENTITY_PUTS], const struct storage_options *o,
                     uint8_t version[4])
{
    store_be32(version, FORMAT_VERSION);
    out[0] = (struct kv_put){FAMILY_META, key_meta(META_VERSION), bytes_of(version, 4), false};
    out[1] = (struct kv_put){FAMILY_META, key_meta(META_GENESIS),
                             bytes_of(o->genesis.b, sizeof o->genesis.b), false};
    out[2] = (struct kv_put){FAMILY_META, key_meta(META_MEMBER),
                             bytes_of(o->member.b, sizeof o->member.b), false};
}

/* The sequence begins above all that a peer may have been shown (CONSENSUS 8, E4). The operator's
 * vow takes the amnesia back in the same step. */
static enum err start_amnesiac(struct start *st)
{
    struct storage *s = st->s;
    const struct safety_record *r = &s->safety.newest;
    bool vow = st->o->vow_never_signed;
    struct kv_put puts[IDENTITY_PUTS + 1];
    uint8_t version[4];
    identity(puts, st->o, version);
    puts[IDENTITY_PUTS] =
        (struct kv_put){FAMILY_META, key_meta(META_AMNESIAC), bytes_of("\1", 1), vow};
    uint64_t shown = larger(st->journal.sequence, s->safety.found ? r->sequence : 0);
    s->tip.sequence = larger(shown, s->io->wall_us(s->io->ctx)) + 1;
    s->tip.epoch = larger(st->journal.tip.epoch, s->safety.found ? r->epoch : 0);
    s->tip.amnesiac = s->amnesiac = !vow;
    struct journal_step step = {.sequence = s->tip.sequence, .epoch = s->tip.epoch};
    step.amnesiac = !vow;
    step.cleared = vow;
    TRY(journal_append(&s->kv, &step, puts, IDENTITY_PUTS + 1));
    st->journal.steps++;
    st->verdict = vow ? STORAGE_CLEAN : STORAGE_AMNESIAC;
    return rewrite_record(s);
}

/* The record first: a database with an identity and no record would be a lost record. */
static enum err start_new(struct start *st)
{
    const struct safety_file *f = &st->s->safety;
    bool never_signed = f->found && f->newest.sequence == 0 && !f->newest.amnesiac;
    bool lost = st->safety_file && !(st->o->create && never_signed);
    if (st->s->is_member && (st->o->create_amnesiac || lost)) {
        SAY(st, "%s", lost ? "the journal is missing while the safety record is there: this member "
                             "signs nothing until the others have cleared it, which needs nothing "
                             "from you"
                           : "a new journal for a key that is a member already: it signs nothing "
                             "until the others have cleared it, which needs nothing from you");
        return start_amnesiac(st);
    }
    struct kv_put puts[IDENTITY_PUTS];
    uint8_t version[4];
    identity(puts, st->o, version);
    if (st->s->is_member) {
        TRY(rewrite_record(st->s));
    }
    st->verdict = STORAGE_NEVER_SIGNED;
    return st->s->kv.commit(st->s->kv.ctx, puts, IDENTITY_PUTS, true);
}

/* ---- the rules of a start -------------------------------------------------------------------- */

static const char *cause_text(enum amnesia_cause cause)
{
    switch (cause) {
    case AMNESIA_MARKED:
        return "the journal is marked amnesiac by an earlier start";
    case AMNESIA_NO_RECORD:
        return "the safety record is missing";
    case AMNESIA_BAD_RECORD:
        return "the safety record fails its checksums";
    case AMNESIA_BEHIND_CLEAN:
        return "the journal is older than a safety record written by a clean stop";
    case AMNESIA_BEHIND:
        return "the journal is older than the safety record";
    case AMNESIA_NEW_JOURNAL:
        return "the database was made by an observer and holds no votes of this key";
    case AMNESIA_NONE:
        break;
    }
    return "";
}

static void say_amnesiac(struct start *st, enum amnesia_cause cause)
{
    SAY(st,
        "%s (journal at %llu, record at %llu): this member signs nothing until the others have "
        "cleared it, which needs nothing from you; never restore %s from a copy",
        cause_text(cause), (unsigned long long)st->journal.sequence,
        (unsigned long long)(st->s->safety.found ? st->s->safety.newest.sequence : 0), st->o->dir);
}

static enum amnesia_cause judge(struct start *st)
{
    const struct safety_file *f = &st->s->safety;
    enum amnesia_cause cause = AMNESIA_NONE;
    st->verdict = journal_judge(&st->journal, f->found ? &f->newest : NULL, &cause);
    if (cause == AMNESIA_NO_RECORD && st->safety_file) {
        cause = AMNESIA_BAD_RECORD;
    }
    if (st->adopted) {
        st->verdict = STORAGE_AMNESIAC;
        cause = AMNESIA_NEW_JOURNAL;
    }
    return cause;
}

/* The journal's tip, with what the record still knows of pruned steps. */
static void take_tip(struct start *st)
{
    struct storage *s = st->s;
    const struct safety_record *r = &s->safety.newest;
    struct safety_record *tip = &s->tip;
    *tip = st->journal.tip;
    tip->genesis = st->o->genesis;
    tip->member = st->o->member;
    tip->amnesiac = st->journal.amnesiac;
    if (s->safety.found && r->epoch == tip->epoch) {
        tip->highest_notarize = larger(tip->highest_notarize, r->highest_notarize);
        tip->highest_skip = larger(tip->highest_skip, r->highest_skip);
        tip->highest_finalize = larger(tip->highest_finalize, r->highest_finalize);
    }
    s->amnesiac = s->is_member && st->journal.amnesiac;
    s->floor_epoch = st->journal.floor_epoch;
    s->floor_slot = st->journal.floor_slot;
}

static enum err read_journal(struct start *st)
{
    uint64_t bad = 0;
    enum err e = journal_read(&st->s->kv, &st->journal, &bad);
    if (e != OK) {
        place_say(st->why, st->why_len, "journal step %llu: %s", (unsigned long long)bad,
                  err_text(e));
        return start_say_failed(st, e);
    }
    take_tip(st);
    return OK;
}

static enum err start_again(struct start *st)
{
    struct storage *s = st->s;
    TRY(read_journal(st));
    if (!s->is_member) {
        st->verdict = st->journal.sequence == 0 ? STORAGE_NEVER_SIGNED : STORAGE_CLEAN;
        return OK;
    }
    enum amnesia_cause cause = judge(st);
    if (cause != AMNESIA_NONE) {
        say_amnesiac(st, cause);
    }
    if (cause != AMNESIA_NONE && (cause != AMNESIA_MARKED || st->o->vow_never_signed)) {
        return start_amnesiac(st);
    }
    if (st->verdict == STORAGE_ONE_BEHIND) {
        TRY(journal_append_record(&s->kv, &s->safety.newest));
        return read_journal(st);
    }
    return st->journal.sequence > s->safety.newest.sequence ? rewrite_record(s) : OK;
}

enum err start_judge(struct start *st)
{
    st->s->tip.genesis = st->o->genesis;
    st->s->tip.member = st->o->member;
    enum err e = st->fresh ? start_new(st) : start_again(st);
    if (e != OK && e != ERR_CORRUPT) {
        SAY(st, "%s or %s cannot be written: %s; check the disk and start again", st->s->db_path,
            st->s->safety_path, err_text(e));
    }
    return e;
}
