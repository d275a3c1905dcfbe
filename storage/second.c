#define _GNU_SOURCE
#include "storage/second.h"

/* Less than it takes to wake a thread and to be woken by it. */
enum { QUICK_US = 40 };

static enum err write_record(struct second *s, const struct safety_record *record)
{
    const struct io *io = s->file->io;
    uint64_t before_us = io->now_us(io->ctx);
    enum err e = safety_file_write(s->file, record);
    s->quick = io->now_us(io->ctx) - before_us < QUICK_US;
    return e;
}

static void *second_run(void *arg)
{
    struct second *s = arg;
    pthread_mutex_lock(&s->lock);
    while (true) {
        while (s->record == NULL && !s->stop) {
            pthread_cond_wait(&s->asked, &s->lock);
        }
        if (s->record == NULL) {
            break;
        }
        const struct safety_record *record = s->record;
        pthread_mutex_unlock(&s->lock);
        enum err e = write_record(s, record);
        pthread_mutex_lock(&s->lock);
        s->result = e;
        s->record = NULL;
        pthread_mutex_unlock(&s->lock);
        pthread_cond_signal(&s->answered); /* under the lock it would wake only to wait for that */
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void destroy_locks(struct second *s)
{
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->asked);
    pthread_cond_destroy(&s->answered);
}

enum err second_start(struct second *s, struct safety_file *file)
{
    *s = (struct second){.file = file};
    if (pthread_mutex_init(&s->lock, NULL) != 0 || pthread_cond_init(&s->asked, NULL) != 0 ||
        pthread_cond_init(&s->answered, NULL) != 0) {
        return ERR_NO_MEMORY;
    }
    if (pthread_create(&s->thread, NULL, second_run, s) != 0) {
        destroy_locks(s);
        return ERR_NO_MEMORY;
    }
    s->started = true;
    return OK;
}

void second_ask(struct second *s, const struct safety_record *record)
{
    if (!s->started || s->quick) {
        s->result = write_record(s, record);
        return;
    }
    pthread_mutex_lock(&s->lock);
    s->record = record;
    pthread_mutex_unlock(&s->lock);
    pthread_cond_signal(&s->asked);
}

enum err second_wait(struct second *s)
{
    if (!s->started) {
        return s->result;
    }
    pthread_mutex_lock(&s->lock);
    while (s->record != NULL) {
        pthread_cond_wait(&s->answered, &s->lock);
    }
    enum err e = s->result;
    pthread_mutex_unlock(&s->lock);
    return e;
}

void second_stop(struct second *s)
{
    if (!s->started) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->asked);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    destroy_locks(s);
    s->started = false;
}
