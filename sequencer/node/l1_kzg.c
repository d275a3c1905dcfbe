#define _GNU_SOURCE
/* The KZG set-up, loaded on a thread of its own: two seconds in which the thread of the L1 goes on
 * to follow heads. Nobody waits for it but the end of the process. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sequencer/node/l1_parts.h"
#include "sequencer/observe/log.h"

struct l1_kzg {
    pthread_mutex_t lock; /* of the three below */
    bool done;
    enum err err;
    struct kzg *kzg;
    bool started; /* the two below: whoever asks */
    pthread_t thread;
};

void l1_yield_cores(void)
{
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), L1_NICE);
}

static void *load(void *arg)
{
    struct l1_kzg *k = arg;
    struct kzg *loaded = NULL;
    l1_yield_cores();
    enum err e = kzg_load(&loaded);
    if (e != OK) {
        log_write(LOG_ERROR, "l1", "blobs cannot be checked or made", LOG_STR("error", err_text(e)),
                  NULL);
    }
    pthread_mutex_lock(&k->lock);
    k->kzg = loaded;
    k->err = e;
    k->done = true;
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

enum err l1_kzg_open(struct l1_kzg **out)
{
    struct l1_kzg *k = calloc(1, sizeof *k);
    if (k == NULL || pthread_mutex_init(&k->lock, NULL) != 0) {
        free(k);
        return ERR_NO_MEMORY;
    }
    *out = k;
    return OK;
}

enum err l1_kzg_get(struct l1_kzg *k, const struct kzg **out)
{
    if (!k->started) {
        k->started = pthread_create(&k->thread, NULL, load, k) == 0;
        return k->started ? ERR_NOT_READY : ERR_NO_MEMORY;
    }
    pthread_mutex_lock(&k->lock);
    enum err e = k->done ? k->err : ERR_NOT_READY;
    *out = k->kzg;
    pthread_mutex_unlock(&k->lock);
    return e;
}

void l1_kzg_close(struct l1_kzg *k)
{
    if (k == NULL) {
        return;
    }
    if (k->started) {
        pthread_join(k->thread, NULL);
    }
    if (k->kzg != NULL) {
        kzg_free(k->kzg);
    }
    pthread_mutex_destroy(&k->lock);
    free(k);
}
