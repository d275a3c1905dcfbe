/* The thread that writes the safety record while the storage thread syncs the journal. Where the last
 * write took less time than waking a thread does (a file system in memory, a controller with a cache
 * of its own), the next one is made by who asks. */
#ifndef STORAGE_SECOND_H
#define STORAGE_SECOND_H

#include "storage/safety_file.h"

#include <pthread.h>

struct second {
    struct safety_file *file;
    pthread_t thread;
    bool started;
    bool quick; /* of whoever writes; there is one at a time */
    pthread_mutex_t lock; /* all below */
    pthread_cond_t asked, answered;
    bool stop;
    const struct safety_record *record; /* non-NULL: being written */
    enum err result;
};

enum err second_start(struct second *s, struct safety_file *file) MUST_USE;
/* Begins to write (without a started thread, and where that is quick: writes); `record` stays the
 * caller's and unchanged until second_wait returns. */
void second_ask(struct second *s, const struct safety_record *record);
enum err second_wait(struct second *s) MUST_USE;
/* Nothing is being written. Also after a failed or no start. */
void second_stop(struct second *s);

#endif
