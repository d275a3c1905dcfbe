/* The thread that writes the safety record while the storage thread syncs the journal. */
#ifndef STORAGE_SECOND_H
#define STORAGE_SECOND_H

#include "storage/safety_file.h"

#include <pthread.h>

struct second {
    struct safety_file *file;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t asked, answered;
    bool stop;
    const struct safety_record *record; /* non-NULL: being written */
    enum err result;
};

enum err second_start(struct second *s, struct safety_file *file) MUST_USE;
/* Begins to write (without a started thread: writes); `record` stays the caller's and unchanged until second_wait returns. */
void second_ask(struct second *s, const struct safety_record *record);
enum err second_wait(struct second *s) MUST_USE;
/* Nothing is being written. Also after a failed or no start. */
void second_stop(struct second *s);

#endif
