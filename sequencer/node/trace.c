#define _GNU_SOURCE
/* Every core event in a file, as it was given: a line of text each, messages as hex frames, and
 * the digest of the core's state before it. For replay and audits; off unless configured. */
#include <stdlib.h>

#include "sequencer/node/parts.h"

static void trace_frame(FILE *f, const struct message *m)
{
    size_t cap = message_size(m);
    uint8_t *frame = malloc(cap);
    size_t len = 0;
    if (frame != NULL && message_encode(frame, cap, &len, m) == OK) {
        for (size_t i = 0; i < len; i++) {
            fprintf(f, "%02x", frame[i]);
        }
    }
    free(frame);
}

static void trace_hash(FILE *f, const struct hash *h)
{
    char text[HEX_SIZE(32)];
    hex_encode(text, h->b, sizeof h->b);
    fprintf(f, " %s", text);
}

static void trace_built(FILE *f, const struct built_payload *b)
{
    fprintf(f, " %d %llu %u %u", b->ok ? 1 : 0, (unsigned long long)b->build, b->body_len, b->txs);
    trace_hash(f, &b->payload);
    trace_hash(f, &b->state_root);
    trace_hash(f, &b->body_root);
}

static void trace_content(FILE *f, const struct event *e)
{
    switch (e->kind) {
    case EVENT_MESSAGE:
        fputc(' ', f);
        trace_frame(f, e->u.message);
        return;
    case EVENT_PEER:
        fprintf(f, " %d %d", e->u.peer.up ? 1 : 0, e->u.peer.reset ? 1 : 0);
        return;
    case EVENT_LATENCY:
        fprintf(f, " %llu %llu", (unsigned long long)e->u.latency.one_way_p50_us,
                (unsigned long long)e->u.latency.one_way_p99_us);
        return;
    case EVENT_BODY:
        fprintf(f, " %d", e->u.body.ok ? 1 : 0);
        trace_hash(f, &e->u.body.block);
        return;
    case EVENT_EXECUTED:
        fprintf(f, " %d %llu", (int)e->u.executed.verdict,
                (unsigned long long)e->u.executed.took_us);
        trace_hash(f, &e->u.executed.block);
        return;
    case EVENT_BUILT:
        trace_built(f, &e->u.built);
        return;
    case EVENT_PERSISTED:
        fprintf(f, " %llu", (unsigned long long)e->u.persisted);
        return;
    case EVENT_STARVING:
        fprintf(f, " %llu", (unsigned long long)e->u.starving_turn);
        return;
    case EVENT_HEALTH:
        fprintf(f, " %u %d %d %d %llu", e->u.health.not_ready, e->u.health.pending ? 1 : 0,
                e->u.health.draining ? 1 : 0, e->u.health.leaving ? 1 : 0,
                (unsigned long long)e->u.health.client_silent_us);
        return;
    case EVENT_TICK:
    case EVENT_WRITE_FAILED:
    case EVENT_OWN_KEY_SEEN:
        return;
    }
}

void trace_event(struct node *n, const struct event *e)
{
    FILE *f = n->driver.trace;
    struct hash digest = core_digest(n->driver.core);
    fprintf(f, "%d %llu %llu %llu %d", (int)e->kind, (unsigned long long)e->now_us,
            (unsigned long long)e->wall_ms, (unsigned long long)e->late_us, e->peer);
    trace_hash(f, &digest);
    trace_content(f, e);
    fputc('\n', f);
}
