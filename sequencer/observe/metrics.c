/* The metrics table in memory and its text form (Prometheus 0.0.4). */
#define _GNU_SOURCE
#include "sequencer/observe/metrics.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum metric_type { COUNTER, GAUGE, HISTOGRAM };
enum { MAX_LABELS = 64, LABEL_SIZE = 48, BUCKETS = 15 };

static const char *const type_name[] = {"counter", "gauge", "histogram"};

static const struct {
    enum metric_type type;
    const char *name;
    const char *label;
    const char *help;
} table[METRIC_COUNT] = {
#define METRIC(id, type, name, label, help) [METRIC_##id] = {type, name, label, help},
#include "sequencer/observe/metrics.def"
#undef METRIC
};

/* Upper bounds in seconds, and as they are written. */
static const double bound[BUCKETS] = {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1,
                                      0.2,    0.5,   1,     2,     5,    10,   30};
static const char *const bound_text[BUCKETS] = {"0.0005", "0.001", "0.002", "0.005", "0.01",
                                                "0.02",   "0.05",  "0.1",   "0.2",   "0.5",
                                                "1",      "2",     "5",     "10",    "30"};

struct series {
    char label[LABEL_SIZE]; /* "" for the one series of a metric without labels */
    double value;           /* histograms: the sum */
    uint64_t count;
    uint64_t bucket[BUCKETS];
};

struct family {
    struct series *series;
    int n;
};

struct metrics {
    struct family family[METRIC_COUNT];
};

static struct series *series_new(struct family *f, const char *label)
{
    struct series *grown = realloc(f->series, ((size_t)f->n + 1) * sizeof *grown);
    if (grown == NULL) {
        return NULL;
    }
    f->series = grown;
    struct series *s = &grown[f->n++];
    memset(s, 0, sizeof *s);
    snprintf(s->label, sizeof s->label, "%s", label);
    return s;
}

struct metrics *metrics_create(void)
{
    struct metrics *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return NULL;
    }
    for (int i = 0; i < METRIC_COUNT; i++) {
        if (table[i].label[0] == 0 && series_new(&m->family[i], "") == NULL) {
            metrics_destroy(m);
            return NULL;
        }
    }
    return m;
}

void metrics_destroy(struct metrics *m)
{
    if (m == NULL) {
        return;
    }
    for (int i = 0; i < METRIC_COUNT; i++) {
        free(m->family[i].series);
    }
    free(m);
}

int metrics_label(struct metrics *m, enum metric id, const char *value)
{
    struct family *f = &m->family[id];
    for (int i = 0; i < f->n; i++) {
        if (strcmp(f->series[i].label, value) == 0) {
            return i;
        }
    }
    if (f->n < MAX_LABELS && table[id].label[0] != 0) {
        (void)series_new(f, value);
    }
    return f->n - 1;
}

static struct series *series_at(struct metrics *m, enum metric id, int label)
{
    struct family *f = &m->family[id];
    return label >= 0 && label < f->n ? &f->series[label] : NULL;
}

void metrics_add(struct metrics *m, enum metric id, int label, double by)
{
    struct series *s = series_at(m, id, label);
    if (s != NULL) {
        s->value += by;
    }
}

void metrics_set(struct metrics *m, enum metric id, int label, double value)
{
    struct series *s = series_at(m, id, label);
    if (s != NULL) {
        s->value = value;
    }
}

void metrics_observe(struct metrics *m, enum metric id, int label, double seconds)
{
    struct series *s = series_at(m, id, label);
    if (s == NULL) {
        return;
    }
    s->value += seconds;
    s->count++;
    for (int i = 0; i < BUCKETS; i++) {
        if (seconds <= bound[i]) {
            s->bucket[i]++;
            return;
        }
    }
}

double metrics_get(const struct metrics *m, enum metric id, int label)
{
    const struct family *f = &m->family[id];
    if (label < 0 || label >= f->n) {
        return 0;
    }
    const struct series *s = &f->series[label];
    return table[id].type == HISTOGRAM ? (double)s->count : s->value;
}

/* The exposition grows in one buffer; after a failed allocation nothing more is put. */
struct page {
    char *text;
    size_t n;
    size_t cap;
    bool failed;
};

static void page_put(struct page *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void page_put(struct page *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char line[512];
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof line || p->failed) {
        p->failed = true;
        return;
    }
    if (p->n + (size_t)n + 1 > p->cap) {
        size_t cap = p->cap * 2 + 4096;
        char *grown = realloc(p->text, cap);
        if (grown == NULL) {
            p->failed = true;
            return;
        }
        p->text = grown;
        p->cap = cap;
    }
    memcpy(p->text + p->n, line, (size_t)n + 1);
    p->n += (size_t)n;
}

/* Label values are words of ours or names of the genesis; quotes and line ends are escaped as the
 * format asks for. */
static void label_escape(char out[2 * LABEL_SIZE], const char *in)
{
    size_t n = 0;
    for (; *in != 0; in++) {
        if (*in == '"' || *in == '\\' || *in == '\n') {
            out[n++] = '\\';
        }
        out[n++] = *in == '\n' ? 'n' : *in;
    }
    out[n] = 0;
}

static void put_histogram(struct page *p, enum metric id, const struct series *s, const char *pair)
{
    const char *comma = pair[0] != 0 ? "," : "";
    const char *open = pair[0] != 0 ? "{" : "";
    const char *close = pair[0] != 0 ? "}" : "";
    uint64_t below = 0;
    for (int i = 0; i < BUCKETS; i++) {
        below += s->bucket[i];
        page_put(p, "baton_%s_bucket{%s%sle=\"%s\"} %llu\n", table[id].name, pair, comma,
                 bound_text[i], (unsigned long long)below);
    }
    page_put(p, "baton_%s_bucket{%s%sle=\"+Inf\"} %llu\n", table[id].name, pair, comma,
             (unsigned long long)s->count);
    page_put(p, "baton_%s_sum%s%s%s %.9g\n", table[id].name, open, pair, close, s->value);
    page_put(p, "baton_%s_count%s%s%s %llu\n", table[id].name, open, pair, close,
             (unsigned long long)s->count);
}

static void put_series(struct page *p, enum metric id, const struct series *s)
{
    char escaped[2 * LABEL_SIZE];
    char pair[2 * LABEL_SIZE + 40] = "";
    if (table[id].label[0] != 0) {
        label_escape(escaped, s->label);
        snprintf(pair, sizeof pair, "%s=\"%s\"", table[id].label, escaped);
    }
    if (table[id].type == HISTOGRAM) {
        put_histogram(p, id, s, pair);
        return;
    }
    page_put(p, "baton_%s%s%s%s %.15g\n", table[id].name, pair[0] != 0 ? "{" : "", pair,
             pair[0] != 0 ? "}" : "", s->value);
}

char *metrics_text(const struct metrics *m, size_t *n)
{
    struct page p = {0};
    for (int i = 0; i < METRIC_COUNT; i++) {
        enum metric id = (enum metric)i;
        page_put(&p, "# HELP baton_%s %s\n# TYPE baton_%s %s\n", table[i].name, table[i].help,
                 table[i].name, type_name[table[i].type]);
        for (int k = 0; k < m->family[i].n; k++) {
            put_series(&p, id, &m->family[i].series[k]);
        }
    }
    if (p.failed) {
        free(p.text);
        *n = 0;
        return NULL;
    }
    *n = p.n;
    return p.text;
}

struct metric_description metrics_describe(enum metric id)
{
    return (struct metric_description){table[id].name, type_name[table[id].type], table[id].label,
                                       table[id].help};
}
