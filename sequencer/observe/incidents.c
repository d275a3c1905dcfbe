/* The ring of incidents and its JSON form. */
#include "sequencer/observe/incidents.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "proto/limits.h"

struct incidents {
    struct incident ring[LIMIT_INCIDENTS]; /* number n stands at n % LIMIT_INCIDENTS */
    uint64_t total;
    uint64_t oldest;
};

struct incidents *incidents_create(void)
{
    return calloc(1, sizeof(struct incidents));
}

void incidents_destroy(struct incidents *s)
{
    free(s);
}

uint64_t incidents_add(struct incidents *s, const struct incident *first)
{
    uint64_t number = s->total++;
    struct incident *i = &s->ring[number % LIMIT_INCIDENTS];
    *i = *first;
    i->number = number;
    if (s->total - s->oldest > LIMIT_INCIDENTS) {
        s->oldest = s->total - LIMIT_INCIDENTS;
    }
    return number;
}

struct incident *incidents_at(struct incidents *s, uint64_t number)
{
    if (number < s->oldest || number >= s->total) {
        return NULL;
    }
    return &s->ring[number % LIMIT_INCIDENTS];
}

struct incident *incidents_find_turn(struct incidents *s, uint64_t epoch, uint64_t turn)
{
    for (uint64_t n = s->total; n > s->oldest; n--) {
        struct incident *i = &s->ring[(n - 1) % LIMIT_INCIDENTS];
        if (i->epoch == epoch && i->turn == turn) {
            return i;
        }
    }
    return NULL;
}

uint64_t incidents_total(const struct incidents *s)
{
    return s->total;
}

void incidents_restore(struct incidents *s, const struct incident *stored)
{
    if (stored->number < s->total) {
        return;
    }
    if (stored->number > s->total) {
        s->oldest = stored->number; /* a gap: what lies before it is not held */
    }
    s->total = stored->number;
    (void)incidents_add(s, stored);
}

static void put_u64(struct json_object *o, const char *key, uint64_t v)
{
    json_object_object_add(o, key, json_object_new_uint64(v));
}

static void put_text(struct json_object *o, const char *key, const char *v)
{
    json_object_object_add(o, key, json_object_new_string(v));
}

static struct json_object *member_json(uint8_t index, const char *name)
{
    struct json_object *o = json_object_new_object();
    put_u64(o, "index", index);
    put_text(o, "name", name);
    return o;
}

/* A time that was not seen is null: 0 would read as 1970. */
static void put_time(struct json_object *o, const char *key, uint64_t ms)
{
    json_object_object_add(o, key, ms != 0 ? json_object_new_uint64(ms) : NULL);
}

static struct json_object *seen_json(const struct incident *i)
{
    struct json_object *o = json_object_new_object();
    put_time(o, "lastBlockMs", i->started_ms);
    put_time(o, "skipSignedMs", i->skip_signed_ms);
    put_time(o, "certificateMs", i->certificate_ms);
    put_time(o, "proposalMs", i->proposal_ms);
    put_time(o, "finalMs", i->final_ms);
    return o;
}

static struct json_object *signers_json(uint32_t signers)
{
    struct json_object *a = json_object_new_array();
    for (int m = 0; m < LIMIT_MEMBERS; m++) {
        if ((signers >> m & 1) != 0) {
            json_object_array_add(a, json_object_new_int(m));
        }
    }
    return a;
}

struct json_object *incident_json(const struct incident *i)
{
    struct json_object *o = json_object_new_object();
    put_u64(o, "number", i->number);
    put_u64(o, "epoch", i->epoch);
    put_u64(o, "turn", i->turn);
    put_u64(o, "slot", i->slot);
    json_object_object_add(o, "from", member_json(i->from, i->from_name));
    json_object_object_add(o, "to", member_json(i->to, i->to_name));
    put_text(o, "reason", i->reason);
    put_text(o, "ownReason", i->own_reason);
    put_u64(o, "gapMs", i->gap_ms);
    json_object_object_add(o, "over", json_object_new_boolean(i->final_ms != 0));
    json_object_object_add(o, "seen", seen_json(i));
    json_object_object_add(o, "signers", signers_json(i->signers));
    return o;
}

struct json_object *incidents_json(struct incidents *s, uint64_t from, uint64_t count)
{
    struct json_object *a = json_object_new_array();
    if (count > LIMIT_INCIDENTS) {
        count = LIMIT_INCIDENTS;
    }
    if (from == UINT64_MAX) {
        from = s->total > count ? s->total - count : 0;
    }
    if (from < s->oldest) {
        uint64_t forgotten = s->oldest - from;
        count = count > forgotten ? count - forgotten : 0;
        from = s->oldest;
    }
    for (uint64_t n = from; n < s->total && n - from < count; n++) {
        json_object_array_add(a, incident_json(&s->ring[n % LIMIT_INCIDENTS]));
    }
    return a;
}
