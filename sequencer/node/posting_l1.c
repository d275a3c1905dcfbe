#define _GNU_SOURCE
/* The L1 beside the files: its thread says how it stands, and the heads follow. */
#include <json-c/json.h>
#include <stdlib.h>

#include "sequencer/node/json_put.h"
#include "sequencer/node/parts.h"

enum err posting_l1_open(struct node *n, char *why, size_t why_len)
{
    struct poster *p = &n->poster;
    const struct l1_link_setup s = {n->config, &n->genesis, &n->epoch, n->storage, n->self};
    if (n->config->l1[0] == '\0') {
        return OK;
    }
    TRY(l1_link_open(&p->l1, &s, why, why_len));
    l1_link_look(p->l1, &p->on_l1);
    p->safe = p->on_l1.safe; /* what the files hold was never safe: it does not go back */
    posting_heads(n, &p->on_l1.safe, &p->on_l1.finalized);
    return OK;
}

static void tell(const struct l1_standing *was, const struct l1_standing *is)
{
    if (is->alarm && !was->alarm) {
        log_write(LOG_ERROR, "l1",
                  "what was posted is not what the members certified: nothing is posted any more",
                  LOG_U64("safe", is->safe.number), NULL);
    }
    if (is->known && is->down != was->down) {
        log_write(is->down ? LOG_WARN : LOG_INFO, "l1",
                  is->down ? "the L1 has no new block for a minute" : "the L1 goes on",
                  LOG_U64("head", is->head), NULL);
    }
    if (strcmp(is->why, was->why) != 0) {
        log_write(is->why[0] != '\0' ? LOG_ERROR : LOG_INFO, "l1",
                  is->why[0] != '\0' ? is->why : "segments are posted again", NULL);
    }
}

static double wei_of(const struct u256 *amount)
{
    char text[U256_DEC_SIZE];
    u256_to_dec(text, amount);
    return strtod(text, NULL);
}

void posting_l1_turn(struct node *n)
{
    struct poster *p = &n->poster;
    struct l1_standing is;
    if (p->l1 == NULL) {
        return;
    }
    l1_link_look(p->l1, &is);
    tell(&p->on_l1, &is);
    if (u256_cmp(&is.spent, &p->on_l1.spent) > 0) {
        metrics_add(n->metrics, METRIC_L1_SPEND, 0, wei_of(&is.spent) - wei_of(&p->on_l1.spent));
    }
    bool moved = !hash_equal(&is.safe.hash, &p->safe.hash) ||
                 !hash_equal(&is.finalized.hash, &p->finalized.hash) ||
                 is.safe.timestamp_ms != p->safe.timestamp_ms;
    if (moved) {
        posting_heads(n, &is.safe, &is.finalized);
    }
    p->on_l1 = is;
}

struct json_object *posting_l1_doc(const struct node *n)
{
    const struct l1_standing *s = &n->poster.on_l1;
    char spent[U256_DEC_SIZE];
    if (n->poster.l1 == NULL) {
        return NULL;
    }
    struct json_object *o = json_object_new_object();
    u256_to_dec(spent, &s->spent);
    json_put_bool(o, "reachable", s->known && !s->down);
    json_put_u64(o, "head", s->head);
    json_put_u64(o, "read", s->read);
    json_put_u64(o, "safe", s->safe.number);
    json_put_u64(o, "backlog", s->backlog);
    json_put_u64(o, "accepted", s->accepted);
    json_put_u64(o, "duplicates", s->duplicates);
    json_put_bool(o, "alarm", s->alarm);
    json_put_text(o, "spentWei", spent);
    json_object_object_add(o, "poster", s->posts ? json_address(&s->account) : NULL);
    json_object_object_add(o, "error", s->why[0] == '\0' ? NULL : json_object_new_string(s->why));
    return o;
}
