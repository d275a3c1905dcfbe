/* What the kernel knows of this process: memory, CPU time, open files (from /proc). */
#ifndef SEQUENCER_OBSERVE_PROCESS_H
#define SEQUENCER_OBSERVE_PROCESS_H

#include <stdint.h>

#include "sequencer/observe/metrics.h"

struct process_usage {
    uint64_t resident_bytes;
    double cpu_seconds; /* user and system */
    uint32_t open_fds;
    double start_seconds; /* Unix time of the start */
};

/* Fields that the system does not give stay 0. */
void process_usage(struct process_usage *out);
/* Sets the four process metrics; call every few seconds and before an exposition. */
void process_metrics(struct metrics *m);

#endif
