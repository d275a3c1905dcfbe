/* Metrics: one table (metrics.def) makes the exposition, the documentation, alerts and dashboard.
 *
 * METRIC(ID, type, "name", "label", "help") where type is COUNTER, GAUGE or HISTOGRAM and label is
 * "" or one label name. Every name stands in the exposition before its first event; labelled ones
 * appear for each known label value once metrics_label was called for it.
 * Loop thread only; other threads hand their figures over. Text format 0.0.4, prefix `baton_`. */
#ifndef SEQUENCER_OBSERVE_METRICS_H
#define SEQUENCER_OBSERVE_METRICS_H

#include <stddef.h>
#include <stdint.h>

enum metric {
#define METRIC(id, type, name, label, help) METRIC_##id,
#include "sequencer/observe/metrics.def"
#undef METRIC
    METRIC_COUNT
};

struct metrics;

struct metrics *metrics_create(void);
void metrics_destroy(struct metrics *m);
/* Index of a label value of this metric, made where new; at most 64 a metric, then the last. */
int metrics_label(struct metrics *m, enum metric id, const char *value);
void metrics_add(struct metrics *m, enum metric id, int label, double by);
void metrics_set(struct metrics *m, enum metric id, int label, double value);
/* Seconds into a histogram; buckets 0.5 ms … 30 s in a 1-2-5 series. */
void metrics_observe(struct metrics *m, enum metric id, int label, double seconds);
double metrics_get(const struct metrics *m, enum metric id, int label); /* histograms: the count */
/* The exposition, malloc'ed; the caller frees it. */
char *metrics_text(const struct metrics *m, size_t *n);

/* One line of the table, for `baton help metrics` and the generated documents. */
struct metric_description {
    const char *name;  /* without the prefix baton_ */
    const char *type;  /* counter, gauge, histogram */
    const char *label; /* "" where none */
    const char *help;
};
struct metric_description metrics_describe(enum metric id);

#endif
