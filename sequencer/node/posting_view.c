#define _GNU_SOURCE
/* What posting shows: heads by their tags, the object `batches` of baton_status, figures. */
#include <json-c/json.h>

#include "sequencer/batcher/pressure.h"
#include "sequencer/node/json_put.h"
#include "sequencer/node/parts.h"

static struct posting_head latest_head(const struct node *n)
{
    const struct finality *f = &n->finality;
    return (struct posting_head){f->latest_number, f->latest_payload, f->latest_ms};
}

/* After a crash more may stand in the layer than this node has fetched again. */
struct posting_head posting_shown(const struct node *n, const struct posting_head *head)
{
    return head->number > n->finality.latest_number ? latest_head(n) : *head;
}

struct json_object *posting_head_doc(const struct node *n, const struct posting_head *head)
{
    struct posting_head shown = posting_shown(n, head);
    uint64_t now = driver_wall(n);
    struct json_object *o = json_object_new_object();
    json_put_u64(o, "number", shown.number);
    json_object_object_add(o, "hash", json_hash(&shown.hash));
    json_put_u64(o, "timestampMs", shown.timestamp_ms);
    json_put_u64(o, "ageMs", now > shown.timestamp_ms ? now - shown.timestamp_ms : 0);
    return o;
}

static uint64_t lag_blocks(const struct node *n)
{
    struct posting_head safe = posting_shown(n, &n->poster.safe);
    return n->finality.latest_number - safe.number;
}

static uint64_t lag_ms(const struct node *n)
{
    uint64_t now = driver_wall(n);
    uint64_t on_l1 = n->poster.on_l1.oldest_ms;
    uint64_t oldest = on_l1 != 0 ? on_l1 : n->poster.oldest_ms;
    return oldest != 0 && now > oldest && lag_blocks(n) > 0 ? now - oldest : 0;
}

struct json_object *posting_doc(const struct node *n)
{
    const struct poster *p = &n->poster;
    struct json_object *o = json_object_new_object();
    json_put_text(o, "layer", p->l1 == NULL ? "file" : n->config->da);
    json_put_u64(o, "segments", p->segments);
    json_put_u64(o, "lagBlocks", lag_blocks(n));
    json_put_u64(o, "lagMs", lag_ms(n));
    json_put_u64(o, "unsafeBytes", posting_unsafe_bytes(n));
    json_put_u64(o, "stage", p->stage);
    json_put_u64(o, "sealIntervalMs", n->genesis.seal_ms);
    json_object_object_add(o, "error", p->err == OK ? NULL : json_object_new_string(p->why));
    json_object_object_add(o, "l1", posting_l1_doc(n));
    return o;
}

void posting_gauges(struct node *n)
{
    struct metrics *m = n->metrics;
    const struct poster *p = &n->poster;
    struct posting_head safe = posting_shown(n, &p->safe);
    struct posting_head finalized = posting_shown(n, &p->finalized);
    metrics_set(m, METRIC_HEAD_HEIGHT, n->book.head_label[1], (double)safe.number);
    metrics_set(m, METRIC_HEAD_HEIGHT, n->book.head_label[2], (double)finalized.number);
    metrics_set(m, METRIC_BATCH_LAG, 0, (double)lag_blocks(n));
    metrics_set(m, METRIC_BATCH_SEGMENTS, 0, (double)p->segments);
    metrics_set(m, METRIC_BATCH_STAGE, 0, (double)p->stage);
}
