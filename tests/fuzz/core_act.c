/* The script of a core: which act comes next; and those of the clock, the links, the disk and the
 * client. */
#include "proto/keccak.h"
#include "tests/fuzz/core_parts.h"

/* ---- what the script says -------------------------------------------------------------------- */

int script_peer(const struct core_run *r, struct bytes *in)
{
    int peer = script_u8(in) % MEMBERS;
    return peer == r->config.self ? (peer + 1) % MEMBERS : peer;
}

const struct block_head *script_block(const struct core_run *r, struct bytes *in)
{
    uint8_t back = script_u8(in); /* the latest are the likeliest */
    uint32_t i = r->blocks - 1 - back % r->blocks;
    return &r->block[i].head;
}

/* Around the current slot, or anywhere. */
uint64_t script_slot(const struct core_run *r, struct bytes *in)
{
    uint8_t v = script_u8(in);
    uint64_t cur = r->oracle.cur == 0 ? 1 : r->oracle.cur;
    if (v >= 0xf0) {
        return (uint64_t)script_u16(in) << (v & 3) * 16;
    }
    uint64_t back = v >> 4 & 3;
    return cur + (v & 15) - (back < cur ? back : cur);
}

static void act_time(struct core_run *r, struct bytes *in)
{
    struct event e = {.kind = EVENT_TICK, .peer = -1};
    uint8_t how = script_u8(in);
    uint64_t due = core_deadline(r->core);
    uint64_t by = (uint64_t)script_u8(in) * 20 * MS;
    if ((how & 1) != 0 && due != UINT64_MAX && due > r->now_us) {
        by = due - r->now_us;
    }
    r->now_us += by;
    r->wall_ms += by / MS;
    if ((how & 2) != 0) { /* a clock that was set */
        r->wall_ms += (uint64_t)(int64_t)((int8_t)how * 250);
    }
    e.late_us = (how & 4) != 0 ? by : 0;
    core_run_step(r, &e);
}

static void act_peer(struct core_run *r, struct bytes *in)
{
    struct event e = {.kind = EVENT_PEER, .peer = script_peer(r, in)};
    uint8_t how = script_u8(in);
    e.u.peer.up = (how & 1) != 0;
    e.u.peer.reset = !e.u.peer.up && (how & 2) != 0;
    core_run_step(r, &e);
}

static void act_latency(struct core_run *r, struct bytes *in)
{
    struct event e = {.kind = EVENT_LATENCY, .peer = script_peer(r, in)};
    e.u.latency.one_way_p50_us = script_u16(in);
    e.u.latency.one_way_p99_us = e.u.latency.one_way_p50_us + script_u16(in);
    core_run_step(r, &e);
}

static void act_body(struct core_run *r, struct bytes *in)
{
    struct event e = {.kind = EVENT_BODY, .peer = -1};
    e.u.body.block = script_block(r, in)->hash;
    e.u.body.ok = (script_u8(in) & 15) != 15;
    core_run_step(r, &e);
}

static void act_executed(struct core_run *r, struct bytes *in)
{
    struct event e = {.kind = EVENT_EXECUTED, .peer = -1};
    e.u.executed.block = script_block(r, in)->hash;
    uint8_t how = script_u8(in);
    bool fails = ++r->answers == r->fail_answer;
    e.u.executed.verdict = fails || (how & 15) == 15 ? VERDICT_INVALID : VERDICT_VALID;
    e.u.executed.took_us = (uint64_t)how * 1000;
    core_run_step(r, &e);
}

static void act_built(struct core_run *r, struct bytes *in)
{
    struct event e = {.kind = EVENT_BUILT, .peer = -1};
    uint8_t how = script_u8(in);
    bool fails = ++r->answers == r->fail_answer;
    e.u.built = (struct built_payload){.ok = !fails && (how & 7) != 7,
                                       .build = r->build - (how >> 6),
                                       .body_len = 64,
                                       .txs = how & 1};
    memset(e.u.built.payload.b, how, 32);
    e.u.built.payload.b[0] = (uint8_t)r->build;
    e.u.built.state_root = keccak256(e.u.built.payload.b, 32);
    e.u.built.body_root = keccak256(&how, 1);
    core_run_step(r, &e);
}

static void act_persisted(struct core_run *r, struct bytes *in)
{
    struct event e = {.kind = EVENT_PERSISTED, .peer = -1};
    uint64_t waiting = r->oracle.sequence - r->oracle.persisted;
    uint64_t n = script_u8(in) % 4;
    if (r->oracle.write_failed || waiting == 0) {
        return;
    }
    r->oracle.persisted += n == 0 || n > waiting ? waiting : n;
    e.u.persisted = r->oracle.persisted;
    core_run_step(r, &e);
}

static void act_health(struct core_run *r, struct bytes *in)
{
    struct event e = {.kind = EVENT_HEALTH, .peer = -1};
    uint8_t how = script_u8(in);
    e.u.health.not_ready = (how & 1) != 0 ? script_u8(in) : 0;
    e.u.health.pending = (how & 2) != 0;
    e.u.health.draining = (how & 12) == 12;
    e.u.health.client_silent_us = (how & 16) != 0 ? (uint64_t)script_u16(in) * 100 : 0;
    core_run_step(r, &e);
}

static void act_fail(struct core_run *r, struct bytes *in)
{
    uint8_t how = script_u8(in);
    struct event e = {.kind = how == 0x80 ? EVENT_OWN_KEY_SEEN : EVENT_WRITE_FAILED, .peer = -1};
    if (how != 0x80 && how != 0x81) {
        return; /* both end the signing: seldom */
    }
    r->oracle.write_failed |= e.kind == EVENT_WRITE_FAILED;
    core_run_step(r, &e);
}

void core_run_act(struct core_run *r, struct bytes *script)
{
    static void (*const acts[])(struct core_run *, struct bytes *) = {
        act_time,        core_act_propose, act_body,      act_executed,     core_act_vote,
        core_act_bundle, act_built,        act_persisted, act_peer,         act_health,
        core_act_status, core_act_repeat,  act_latency,   core_act_amnesia, core_act_bytes,
        act_fail,        core_act_notice};
    acts[script_u8(script) % (sizeof acts / sizeof acts[0])](r, script);
}
