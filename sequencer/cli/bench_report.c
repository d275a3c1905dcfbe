#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sequencer/cli/audit.h"
#include "sequencer/cli/bench.h"
#include "sequencer/cli/cli.h"
#include "sequencer/cli/doc.h"

enum { AUDIT_WAIT_MS = 30000 };

struct quantiles {
    double p50;
    double p90;
    double p99;
    double max;
};

struct verdict {
    uint64_t lost;
    uint64_t twice;
    uint64_t unanswered; /* never acknowledged and not in the chain */
    bool ok;
};

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double at(const uint64_t *us, size_t n, size_t percent)
{
    return n == 0 ? 0.0 : (double)us[(n - 1) * percent / 100] / 1000.0;
}

static struct quantiles quantiles_of(const struct bench *b, bool confirmed)
{
    struct quantiles q = {0};
    size_t cap = HASH_COUNT(b->txs);
    uint64_t *us = calloc(cap + 1, sizeof *us);
    size_t n = 0;
    for (const struct bench_tx *tx = b->txs; us != NULL && tx != NULL; tx = tx->hh.next) {
        uint64_t end = confirmed ? tx->confirmed_us : tx->accepted_us;
        if (tx->load && end != 0) {
            us[n++] = end - tx->submitted_us;
        }
    }
    if (us != NULL) {
        qsort(us, n, sizeof *us, by_value);
        q = (struct quantiles){at(us, n, 50), at(us, n, 90), at(us, n, 99), at(us, n, 100)};
    }
    free(us);
    return q;
}

static void on_found(void *arg, const struct hash *hash, uint64_t number)
{
    struct bench *b = arg;
    struct bench_tx *tx = NULL;
    (void)number;
    HASH_FIND(hh, b->txs, hash, sizeof *hash, tx);
    if (tx != NULL) {
        tx->found++;
    }
}

static struct verdict judge(const struct bench *b, const struct audit *a)
{
    struct verdict v = {0};
    for (const struct bench_tx *tx = b->txs; tx != NULL; tx = tx->hh.next) {
        v.lost += tx->accepted_us != 0 && tx->found == 0 ? 1 : 0;
        v.twice += tx->found > 1 ? 1 : 0;
        v.unanswered += tx->accepted_us == 0 && tx->found == 0 ? 1 : 0;
    }
    v.ok = v.lost == 0 && v.twice == 0 && a->differing == 0 && a->replaced == 0 &&
           b->accepted > 0 && b->refused == 0;
    return v;
}

static struct json_object *describe(const struct quantiles *q)
{
    struct json_object *o = json_object_new_object();
    const struct {
        const char *name;
        double ms;
    } rows[] = {{"p50", q->p50}, {"p90", q->p90}, {"p99", q->p99}, {"max", q->max}};
    for (size_t i = 0; i < 4; i++) {
        char text[32];
        snprintf(text, sizeof text, "%.2f", rows[i].ms);
        doc_put(o, rows[i].name, json_object_new_double_s(rows[i].ms, text));
    }
    return o;
}

static double per_second(uint64_t n, uint64_t us)
{
    return us == 0 ? 0.0 : (double)n * 1e6 / (double)us;
}

/* From the first submission to the last confirmation: what is confirmed after the load counts,
 * and so does the time it took. */
static uint64_t confirming_us(const struct bench *b)
{
    uint64_t first = UINT64_MAX;
    uint64_t last = 0;
    for (const struct bench_tx *tx = b->txs; tx != NULL; tx = tx->hh.next) {
        if (tx->load && tx->confirmed_us != 0) {
            first = tx->submitted_us < first ? tx->submitted_us : first;
            last = tx->confirmed_us > last ? tx->confirmed_us : last;
        }
    }
    return last > first ? last - first : 0;
}

static void put_rate(struct json_object *o, const char *key, double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.1f", value);
    doc_put(o, key, json_object_new_double_s(value, text));
}

static struct json_object *list_absent(const struct bench *b, const struct audit *a)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < b->o.urls; i++) {
        if ((a->absent >> i & 1u) != 0) {
            json_object_array_add(list, json_object_new_string(b->o.url[i]));
        }
    }
    return list;
}

/* What nodes said against transactions, by how often. */
static struct json_object *list_sentences(const struct bench *b)
{
    struct json_object *o = json_object_new_object();
    for (size_t i = 0; i < BENCH_SENTENCES && b->sentence[i].n > 0; i++) {
        doc_put_u64(o, b->sentence[i].text, b->sentence[i].n);
    }
    return o;
}

static void print_json(const struct bench *b, const struct audit *a, const struct verdict *v)
{
    struct quantiles accept = quantiles_of(b, false);
    struct quantiles confirm = quantiles_of(b, true);
    struct json_object *o = json_object_new_object();
    doc_put_u64(o, "sent", b->sent);
    doc_put_u64(o, "accepted", b->accepted);
    doc_put_u64(o, "confirmed", b->confirmed);
    put_rate(o, "acceptedPerSecond", per_second(b->accepted, b->load_us));
    put_rate(o, "confirmedPerSecond", per_second(b->confirmed, confirming_us(b)));
    doc_put_u64(o, "loadFromMs", b->load_wall_ms);
    doc_put_u64(o, "loadToMs", b->load_wall_ms + confirming_us(b) / 1000);
    doc_put_u64(o, "clientCpuMs", b->cpu_us / 1000);
    doc_put(o, "acceptMs", describe(&accept));
    doc_put(o, "latencyMs", describe(&confirm));
    doc_put_u64(o, "retries", b->retries);
    doc_put_u64(o, "refused", b->refused);
    doc_put(o, "sentences", list_sentences(b));
    doc_put_u64(o, "unanswered", v->unanswered);
    doc_put_u64(o, "lost", v->lost);
    doc_put_u64(o, "twice", v->twice);
    doc_put_u64(o, "replacedBlocks", a->replaced);
    doc_put_u64(o, "differingBlocks", a->differing);
    doc_put_u64(o, "firstBlock", a->first);
    doc_put_u64(o, "lastBlock", a->last);
    doc_put_u64(o, "nodesChecked", a->checked);
    doc_put(o, "nodesAbsent", list_absent(b, a));
    doc_put(o, "ok", json_object_new_boolean(v->ok));
    doc_print_line(o);
    json_object_put(o);
}

static void print_quantiles(const char *name, const struct quantiles *q)
{
    printf("%-12s p50 %.1f ms, p90 %.1f ms, p99 %.1f ms, max %.1f ms\n", name, q->p50, q->p90,
           q->p99, q->max);
}

static void print_text(const struct bench *b, const struct audit *a, const struct verdict *v)
{
    struct quantiles accept = quantiles_of(b, false);
    struct quantiles confirm = quantiles_of(b, true);
    printf("sent %" PRIu64 ", accepted %" PRIu64 " (%.1f/s), confirmed %" PRIu64 " (%.1f/s), "
           "retries %" PRIu64 ", refused %" PRIu64 "\n",
           b->sent, b->accepted, per_second(b->accepted, b->load_us), b->confirmed,
           per_second(b->confirmed, confirming_us(b)), b->retries, b->refused);
    print_quantiles("accepted in", &accept);
    print_quantiles("confirmed in", &confirm);
    printf("audit of blocks %" PRIu64 " to %" PRIu64 " on %u of %zu nodes: %" PRIu64
           " lost, %" PRIu64 " twice, %" PRIu64 " blocks replaced, %" PRIu64 " blocks differ: %s\n",
           a->first, a->last, a->checked, b->o.urls, v->lost, v->twice, a->replaced, a->differing,
           v->ok ? "every accepted transaction was confirmed exactly once" : "FAILED");
    for (size_t i = 0; i < BENCH_SENTENCES && b->sentence[i].n > 0; i++) {
        printf("  nodes said %" PRIu64 " times: %s\n", b->sentence[i].n, b->sentence[i].text);
    }
}

int bench_report(struct bench *b)
{
    struct audit a = {.first = b->first_block,
                      .last = b->next_block - 1,
                      .seen = b->seen,
                      .wait_ms = AUDIT_WAIT_MS,
                      .tx = on_found,
                      .arg = b};
    if (audit_run(&a, b->o.url, b->o.urls) != OK) {
        return cli_fail(CLI_UNREACHABLE, "bench: no node answers for the audit");
    }
    struct verdict v = judge(b, &a);
    if (b->o.json) {
        print_json(b, &a, &v);
    } else {
        print_text(b, &a, &v);
    }
    return v.ok ? CLI_DONE : CLI_FAILED;
}
