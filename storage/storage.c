#define _GNU_SOURCE
#include "storage/kv_redo.h"
#include "storage/start.h"

#include <stdlib.h>

/* Opening, closing, and the owner's side of the writer. */

static enum err probe(void *arg)
{
    const struct storage *s = arg;
    return s->io->probe(s->io->ctx, s->db_path);
}

static enum err reopen(void *arg)
{
    struct storage *s = arg;
    char why[256];
    if (s->kv_open) {
        s->kv.close(s->kv.ctx);
        s->kv_open = false;
    }
    TRY(s->open_kv(&s->kv, s->db_path, false, family_names, FAMILY_COUNT, why, sizeof why));
    s->kv_open = true;
    return OK;
}

static enum err run(struct start *st)
{
    struct storage *s = st->s;
    struct hash hash;
    enum err e = storage_highest_final(s, &s->final_epoch, &s->final_slot, &hash, NULL);
    if (e != OK && e != ERR_NOT_FOUND) {
        return start_say_failed(st, e);
    }
    s->journal_steps = st->journal.steps;
    s->writer.committed[OP_FINAL] = (struct op_place){s->final_epoch, s->final_slot};
    s->writer.committed[OP_FLOOR] = (struct op_place){s->floor_epoch, s->floor_slot};
    s->writer.kv = &s->kv;
    s->writer.kv_lock = &s->kv_lock;
    s->writer.safety = s->is_member ? &s->safety : NULL;
    s->writer.io = s->io;
    s->writer.no_threads = st->o->no_threads;
    s->writer.probe = probe;
    s->writer.reopen = reopen;
    s->writer.reopen_arg = s;
    s->writer.wake = st->o->wake;
    s->writer.wake_arg = st->o->wake_arg;
    return writer_start(&s->writer, s->tip.sequence);
}

static enum err start(struct start *st)
{
    TRY(start_find_place(st));
    TRY(start_open_files(st));
    TRY(start_check_identity(st));
    TRY(start_judge(st));
    return run(st);
}

static void let_go(struct storage *s)
{
    if (s->kv_open) {
        s->kv.close(s->kv.ctx);
    }
    safety_file_close(&s->safety);
    op_list_free(&s->uncovered);
    if (s->lock_fd >= 0) {
        s->io->close(s->io->ctx, s->lock_fd);
    }
    pthread_rwlock_destroy(&s->kv_lock);
    free(s);
}

enum err storage_open(struct storage **out, const struct storage_options *o,
                      enum storage_verdict *verdict, char *why, size_t why_len)
{
    static const struct address none;
    struct storage *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return ERR_NO_MEMORY;
    }
    if (pthread_rwlock_init(&s->kv_lock, NULL) != 0) {
        free(s);
        return ERR_NO_MEMORY;
    }
    s->lock_fd = -1;
    s->safety.fd = -1;
    s->io = o->io != NULL ? o->io : &io_system;
    s->open_kv = o->open_kv != NULL ? o->open_kv : kv_redo_open;
    s->member = o->member;
    s->is_member = !address_equal(&o->member, &none);
    place_say(why, why_len, "%s", "");
    struct start st = {.s = s, .o = o, .why = why, .why_len = why_len};
    enum err e = start(&st);
    if (e != OK) {
        writer_stop(&s->writer);
        let_go(s);
        return e;
    }
    *verdict = st.verdict;
    *out = s;
    return OK;
}

void storage_close(struct storage *s)
{
    if (s == NULL) {
        return;
    }
    writer_stop(&s->writer);
    if (s->is_member && s->writer.failed == OK) {
        s->tip.clean = true;
        /* A failure here only means that the next start finds no clean stop. */
        (void)!safety_file_write_both(&s->safety, &s->tip);
    }
    let_go(s);
}

enum err storage_hand_over(struct storage *s, struct op *op)
{
    enum err e = writer_submit(&s->writer, op);
    if (e != OK) {
        op_free(op);
    }
    return e;
}

uint64_t storage_turn(struct storage *s)
{
    return writer_turn(&s->writer);
}

bool storage_poll(struct storage *s, struct storage_done *out)
{
    return writer_poll(&s->writer, out);
}

enum err storage_retry(struct storage *s)
{
    return writer_flush(&s->writer);
}

void storage_explain(struct storage *s, char *out, size_t n)
{
    out[0] = '\0';
    if (storage_read_begin(s) == OK) {
        s->kv.explain(s->kv.ctx, out, n);
        storage_read_end(s);
    }
}

bool storage_crowded(struct storage *s)
{
    return writer_crowded(&s->writer);
}

void storage_set_fault(struct storage *s, uint32_t fail_writes, uint32_t delay_ms)
{
    pthread_mutex_lock(&s->writer.lock);
    s->writer.fault_writes = fail_writes;
    s->writer.fault_delay_ms = delay_ms;
    pthread_mutex_unlock(&s->writer.lock);
}
