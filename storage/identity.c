#define _GNU_SOURCE
#include "storage/start.h"

/* What is on disk, and whose it is. */

static bool is_zero(const struct address *a)
{
    static const struct address zero;
    return address_equal(a, &zero);
}

/* ---- places ---------------------------------------------------------------------------------- */

enum err start_find_place(struct start *st)
{
    const struct storage_options *o = st->o;
    const char *safety_dir = o->safety_dir != NULL ? o->safety_dir : o->dir;
    struct storage *s = st->s;
    TRY(place_path(s->db_path, sizeof s->db_path, o->dir, "db"));
    TRY(place_path(s->safety_path, sizeof s->safety_path, safety_dir, "safety"));
    if (o->create) {
        enum err e = s->io->make_dir(s->io->ctx, o->dir);
        e = e == OK ? s->io->make_dir(s->io->ctx, safety_dir) : e;
        if (e != OK) {
            SAY(st, "%s or %s cannot be made; check the path and its owner", o->dir, safety_dir);
            return e;
        }
    }
    return s->io->lock(s->io->ctx, &s->lock_fd, o->dir, st->why, st->why_len);
}

static enum err open_safety(struct start *st)
{
    if (!st->s->is_member) {
        return OK;
    }
    enum err e = safety_file_open(&st->s->safety, st->s->io, st->s->safety_path);
    st->safety_file = e == OK;
    if (e != OK && e != ERR_NOT_FOUND) {
        SAY(st, "%s cannot be opened; check the file and its owner", st->s->safety_path);
        return e;
    }
    return OK;
}

static enum err say_no_database(struct start *st)
{
    SAY(st,
        "there is no database in %s; correct the directory, or make an empty one with `baton "
        "genesis init` (with --lost where this member may have signed before)",
        st->o->dir);
    return ERR_NOT_FOUND;
}

enum err start_say_failed(struct start *st, enum err e)
{
    char cause[512];
    place_say(cause, sizeof cause, "%s", st->why);
    if (e == ERR_CORRUPT) {
        SAY(st,
            "%s is damaged (%s); move it away and keep the file `safety`: the node fetches the "
            "chain again and a member waits until the others have cleared it",
            st->s->db_path, cause);
    } else if (e == ERR_NO_SPACE) {
        SAY(st, "the disk of %s is full (%s); make room and start again", st->s->db_path, cause);
    } else if (e == ERR_IN_USE) {
        SAY(st, "%s is in use by another process (%s); stop that one first", st->s->db_path,
            cause);
    } else {
        SAY(st, "%s cannot be opened (%s); check the disk and the owner of the files",
            st->s->db_path, cause);
    }
    return e;
}

static enum err open_database(struct start *st)
{
    char current[STORAGE_PATH];
    struct storage *s = st->s;
    TRY(place_path(current, sizeof current, s->db_path, "CURRENT"));
    bool there = s->io->exists(s->io->ctx, current);
    if (!there && !st->o->create && !st->safety_file) {
        return say_no_database(st);
    }
    enum err e = s->open_kv(&s->kv, s->db_path, !there, family_names, FAMILY_COUNT, st->why,
                            st->why_len);
    if (e != OK) {
        return start_say_failed(st, e);
    }
    s->kv_open = true;
    return OK;
}

enum err start_open_files(struct start *st)
{
    TRY(open_safety(st));
    return open_database(st);
}

/* ---- identity -------------------------------------------------------------------------------- */

/* An older database becomes one of this version, in its tables, before anything is written that
 * the older program would not find. */
static enum err raise_version(struct start *st)
{
    struct storage *s = st->s;
    uint8_t version[4];
    store_be32(version, FORMAT_VERSION);
    struct kv_put put = {FAMILY_META, key_meta(META_VERSION), bytes_of(version, sizeof version),
                         false};
    enum err e = s->kv.commit(s->kv.ctx, &put, 1, true);
    e = e == OK ? s->kv.flush(s->kv.ctx) : e;
    return e == OK ? OK : start_say_failed(st, e);
}

static enum err check_version(struct start *st)
{
    uint8_t raw[4];
    size_t n = 0;
    enum err e =
        storage_read_small(st->s, FAMILY_META, key_meta(META_VERSION), raw, sizeof raw, &n);
    if (e == ERR_NOT_FOUND) {
        st->fresh = true;
        return st->o->create || st->safety_file ? OK : say_no_database(st);
    }
    if (e != OK || n != sizeof raw) {
        return start_say_failed(st, e != OK ? e : ERR_CORRUPT);
    }
    if (load_be32(raw) > FORMAT_VERSION) {
        SAY(st, "%s has format %u, this program knows %d; start the newer program again",
            st->s->db_path, (unsigned)load_be32(raw), FORMAT_VERSION);
        return ERR_WRONG_VERSION;
    }
    if (load_be32(raw) < FORMAT_VERSION) {
        TRY(raise_version(st));
    }
    if (st->o->create) {
        SAY(st, "%s holds a database already; start the node with it, or name another directory",
            st->o->dir);
        return ERR_REFUSED;
    }
    return OK;
}

static enum err check_genesis(struct start *st, const struct hash *found, const char *place)
{
    char ours[HEX_SIZE(32)];
    char theirs[HEX_SIZE(32)];
    if (hash_equal(found, &st->o->genesis)) {
        return OK;
    }
    hex_encode(ours, st->o->genesis.b, 32);
    hex_encode(theirs, found->b, 32);
    SAY(st, "%s was made for genesis %s, this node's is %s; use the genesis file it was made with, "
            "or another directory", place, theirs, ours);
    return ERR_WRONG_CHAIN;
}

static enum err check_member(struct start *st, const struct address *found, const char *place)
{
    char ours[HEX_SIZE(20)];
    char theirs[HEX_SIZE(20)];
    if (address_equal(found, &st->o->member)) {
        return OK;
    }
    hex_encode(ours, st->o->member.b, 20);
    hex_encode(theirs, found->b, 20);
    SAY(st, "%s belongs to member %s, this node's key is %s; use that key, or another directory",
        place, theirs, ours);
    return ERR_REFUSED;
}

static enum err check_safety_identity(struct start *st)
{
    const struct safety_file *f = &st->s->safety;
    if (!st->safety_file || !f->found) {
        return OK;
    }
    TRY(check_genesis(st, &f->newest.genesis, st->s->safety_path));
    return check_member(st, &f->newest.member, st->s->safety_path);
}

enum err start_check_identity(struct start *st)
{
    struct hash genesis;
    struct address member;
    size_t n = 0;
    size_t m = 0;
    TRY(check_version(st));
    TRY(check_safety_identity(st));
    if (st->fresh) {
        return OK;
    }
    enum err e = storage_read_small(st->s, FAMILY_META, key_meta(META_GENESIS), genesis.b,
                                    sizeof genesis.b, &n);
    e = e == OK ? storage_read_small(st->s, FAMILY_META, key_meta(META_MEMBER), member.b,
                                     sizeof member.b, &m) : e;
    if (e != OK || n != sizeof genesis.b || m != sizeof member.b) {
        return start_say_failed(st, ERR_CORRUPT);
    }
    TRY(check_genesis(st, &genesis, st->s->db_path));
    st->adopted = st->s->is_member && is_zero(&member);
    return st->s->is_member && !st->adopted ? check_member(st, &member, st->s->db_path) : OK;
}
