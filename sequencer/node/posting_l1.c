#define _GNU_SOURCE
/* The L1 beside the files: its thread says how it stands, and the heads follow. */
#include <json-c/json.h>
#include <stdlib.h>

#include "sequencer/node/json_put.h"
#include "sequencer/node/parts.h"

enum err posting_l1_open(struct node *n, char *why, size_t why_len)
{
    struct poster *p = &n->poster;
    const struct l1_link_setup s = {n->config,  &n->genesis, &n->epoch,
                                    n->storage, n->self,     n->key};
    if (n->config->l1[0] == '\0') {
        return OK;
    }
    TRY(l1_link_open(&p->l1, &s, why, why_len));
    l1_link_look(p->l1, &p->on_l1);
    p->safe = p->on_l1.safe; /* what the files hold was never safe: it does not go back */
    posting_heads(n, &p->on_l1.safe, &p->on_l1.finalized);
    return OK;
}

void posting_l1_hear(struct node *n, int member, const struct message *m)
{
    if (n->poster.l1 != NULL) {
        l1_link_hear(n->poster.l1, member, m);
    }
}

static void send_letter(struct node *n, const struct l1_letter *l)
{
    struct message m = {.kind = l->ack ? MSG_INTENT_ACK : MSG_INTENT};
    if (l->ack) {
        m.u.intent_ack.segment = l->segment;
        m.u.intent_ack.intent = l->intent;
    } else {
        m.u.intent.intent = bytes_of(l->bytes, l->n);
        m.u.intent.answer = l->answer;
    }
    for (uint32_t i = 0; i < n->epoch.n; i++) {
        if ((l->members >> i & 1) != 0 && net_up(n, (int)i)) {
            net_send(n, (int)i, &m);
        }
    }
}

/* What the thread needs to know of the others, and what it has to say to them. */
static void exchange(struct node *n)
{
    struct core_view v;
    struct l1_news news = {.leader = -1};
    core_get_view(n->driver.core, &v);
    for (uint32_t i = 0; i < n->epoch.n; i++) {
        bool there = (int)i == n->self || net_up(n, (int)i);
        news.connected |= there ? UINT32_C(1) << i : 0;
    }
    if (members_weight(&n->epoch, news.connected) >= n->epoch.quorum) {
        news.leader = v.leader;
    }
    l1_link_tell(n->poster.l1, &news);
    struct l1_letter *l;
    while ((l = l1_link_letter(n->poster.l1)) != NULL) {
        send_letter(n, l);
        free(l);
    }
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
    exchange(n);
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

static struct json_object *sharing_doc(const struct l1_sharing *s)
{
    struct json_object *o = json_object_new_object();
    json_put_text(o, "duty", s->duty);
    json_put_u64(o, "held", s->held);
    json_put_u64(o, "made", s->made);
    json_put_u64(o, "acked", s->acked);
    json_put_u64(o, "alone", s->alone);
    json_put_u64(o, "taken", s->taken);
    json_put_u64(o, "refused", s->refused);
    json_put_u64(o, "dropped", s->dropped);
    json_put_u64(o, "pushed", s->pushed);
    return o;
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
    json_object_object_add(o, "sharing", s->posts ? sharing_doc(&s->sharing) : NULL);
    json_object_object_add(o, "poster", s->posts ? json_address(&s->account) : NULL);
    json_object_object_add(o, "error", s->why[0] == '\0' ? NULL : json_object_new_string(s->why));
    return o;
}
