/* genesis.json, read strictly: what is not expected is an error with its place. */
#define _GNU_SOURCE
#include "sequencer/node/genesis_file.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "sequencer/execution/ledger.h"
#include "sequencer/node/json_keys.h"
#include "sequencer/node/json_put.h"

/* Where we are, and whom to tell. Only the first error is kept. */
struct source {
    const char *path;
    char *why;
    size_t why_len;
    enum err err;
};

__attribute__((format(printf, 3, 4))) static void fail(struct source *s, const char *place,
                                                       const char *format, ...)
{
    if (s->err != OK) {
        return;
    }
    s->err = ERR_CONFIG;
    int n = snprintf(s->why, s->why_len, "%s: %s: ", s->path, place);
    va_list args;
    va_start(args, format);
    if (n > 0 && (size_t)n < s->why_len) {
        vsnprintf(s->why + n, s->why_len - (size_t)n, format, args);
    }
    va_end(args);
}

/* ---- values ---------------------------------------------------------------------------------- */

static void only_keys(struct source *s, const char *place, struct json_object *o,
                      const char *const *keys)
{
    if (!json_object_is_type(o, json_type_object)) {
        fail(s, place, "expected an object");
        return;
    }
    json_object_object_foreach(o, key, value)
    {
        (void)value;
        size_t i = 0;
        while (keys[i] != NULL && strcmp(keys[i], key) != 0) {
            i++;
        }
        if (keys[i] == NULL) {
            fail(s, place, "unknown key '%.40s'; remove it", key);
        }
    }
}

static struct json_object *need(struct source *s, const char *place, struct json_object *o,
                                const char *key, enum json_type type)
{
    struct json_object *v = NULL;
    if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, key, &v)) {
        fail(s, place, "'%s' is missing", key);
        return NULL;
    }
    if (!json_object_is_type(v, type)) {
        fail(s, place, "'%s': expected %s", key, json_type_to_name(type));
        return NULL;
    }
    return v;
}

static uint64_t need_u64(struct source *s, const char *place, struct json_object *o,
                         const char *key, uint64_t most)
{
    struct json_object *v = need(s, place, o, key, json_type_int);
    if (v == NULL) {
        return 0;
    }
    int64_t sign = json_object_get_int64(v);
    uint64_t n = json_object_get_uint64(v);
    if (sign < 0 || n > most) {
        fail(s, place, "'%s': expected a whole number of at most %llu", key,
             (unsigned long long)most);
        return 0;
    }
    return n;
}

static uint32_t need_u32(struct source *s, const char *place, struct json_object *o,
                         const char *key)
{
    return (uint32_t)need_u64(s, place, o, key, UINT32_MAX);
}

static bool need_bool(struct source *s, const char *place, struct json_object *o, const char *key)
{
    struct json_object *v = need(s, place, o, key, json_type_boolean);
    return v != NULL && json_object_get_boolean(v) != 0;
}

static void need_text(struct source *s, const char *place, struct json_object *o, const char *key,
                      char *out, size_t size)
{
    struct json_object *v = need(s, place, o, key, json_type_string);
    if (v == NULL) {
        return;
    }
    const char *text = json_object_get_string(v);
    size_t n = strlen(text);
    if (n >= size || n != (size_t)json_object_get_string_len(v)) {
        fail(s, place, "'%s': expected at most %zu characters", key, size - 1);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (text[i] < ' ' || text[i] > '~') {
            fail(s, place, "'%s': expected plain ASCII", key);
        }
    }
    memset(out, 0, size);
    memcpy(out, text, n);
}

static bool is_address(struct address *out, const char *text)
{
    return strlen(text) == 42 && text[0] == '0' && text[1] == 'x' &&
           hex_decode(out->b, sizeof out->b, text);
}

static void need_address(struct source *s, const char *place, struct json_object *o,
                         const char *key, struct address *out)
{
    char text[64] = "";
    need_text(s, place, o, key, text, sizeof text);
    if (s->err == OK && !is_address(out, text)) {
        fail(s, place, "'%s': expected an address, 0x and 40 hex digits", key);
    }
}

static uint32_t need_word(struct source *s, const char *place, struct json_object *o,
                          const char *key, const char *one, uint32_t one_is, const char *two,
                          uint32_t two_is)
{
    char text[32] = "";
    need_text(s, place, o, key, text, sizeof text);
    if (s->err == OK && strcmp(text, one) != 0 && strcmp(text, two) != 0) {
        fail(s, place, "'%s': expected \"%s\" or \"%s\"", key, one, two);
    }
    return strcmp(text, one) == 0 ? one_is : two_is;
}

static void take_amount(struct source *s, const char *place, const char *key, struct json_object *v,
                        struct u256 *out)
{
    if (!json_object_is_type(v, json_type_string) || !u256_parse(out, json_object_get_string(v))) {
        fail(s, place, "'%.44s': expected an amount of wei as a string, decimal or 0x", key);
    }
}

/* ---- the file -------------------------------------------------------------------------------- */

static void take_domain(struct source *s, const char *place, struct json_object *o,
                        struct domain *d)
{
    static const char *const keys[] = {"provider", "region", "operator", NULL};
    only_keys(s, place, o, keys);
    need_text(s, place, o, "provider", d->provider, sizeof d->provider);
    need_text(s, place, o, "region", d->region, sizeof d->region);
    need_text(s, place, o, "operator", d->operator_name, sizeof d->operator_name);
}

static void take_member(struct source *s, size_t i, struct json_object *o, struct member *m)
{
    static const char *const keys[] = {"name", "address", "weight", "endpoint", "domain", NULL};
    char place[48];
    struct json_object *domain = NULL;
    snprintf(place, sizeof place, "members[%zu]", i);
    only_keys(s, place, o, keys);
    need_text(s, place, o, "name", m->name, sizeof m->name);
    need_address(s, place, o, "address", &m->address);
    m->weight = need_u32(s, place, o, "weight");
    need_text(s, place, o, "endpoint", m->endpoint, sizeof m->endpoint);
    if (s->err == OK && json_object_object_get_ex(o, "domain", &domain)) {
        snprintf(place, sizeof place, "members[%zu].domain", i);
        take_domain(s, place, domain, &m->domain);
    }
}

static void take_members(struct source *s, struct json_object *o, struct genesis *g)
{
    struct json_object *list = need(s, "genesis", o, "members", json_type_array);
    size_t n = list == NULL ? 0 : json_object_array_length(list);
    if (n == 0 || n > LIMIT_MEMBERS) {
        fail(s, "members", "expected 1 to %d members", (int)LIMIT_MEMBERS);
        return;
    }
    g->n = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        take_member(s, i, json_object_array_get_idx(list, i), &g->member[i]);
    }
}

static int by_address(const void *a, const void *b)
{
    const struct genesis_alloc *x = a;
    const struct genesis_alloc *y = b;
    return memcmp(x->address.b, y->address.b, sizeof x->address.b);
}

void genesis_sort(struct genesis *g)
{
    qsort(g->alloc, g->allocs, sizeof *g->alloc, by_address);
}

static void take_allocs(struct source *s, struct json_object *o, struct genesis *g)
{
    struct json_object *list = need(s, "genesis", o, "alloc", json_type_object);
    int n = list == NULL ? 0 : json_object_object_length(list);
    if (n > GENESIS_ALLOCS) {
        fail(s, "alloc", "expected at most %d accounts", (int)GENESIS_ALLOCS);
    }
    g->alloc = calloc((size_t)n + 1, sizeof *g->alloc);
    if (g->alloc == NULL) {
        fail(s, "alloc", "out of memory");
    }
    if (list == NULL || s->err != OK) {
        return;
    }
    json_object_object_foreach(list, key, value)
    {
        struct genesis_alloc *a = &g->alloc[g->allocs++];
        if (!is_address(&a->address, key)) {
            fail(s, "alloc", "'%.44s': expected an address, 0x and 40 hex digits", key);
        }
        take_amount(s, "alloc", key, value, &a->balance);
    }
    genesis_sort(g);
    for (uint32_t i = 1; i < g->allocs; i++) {
        if (by_address(&g->alloc[i - 1], &g->alloc[i]) == 0) {
            fail(s, "alloc", "an address stands twice in different spelling");
        }
    }
}

static void take_params(struct source *s, struct json_object *o, struct epoch_params *p)
{
    p->fault_model =
        need_word(s, "genesis", o, "faultModel", "bft", FAULT_BFT, "crash", FAULT_CRASH);
    p->pace = need_word(s, "genesis", o, "pace", "fixed", PACE_FIXED, "demand", PACE_DEMAND);
    p->turn_slots = need_u32(s, "genesis", o, "turnSlots");
    p->depth = need_u32(s, "genesis", o, "depth");
    p->block_time_ms = need_u32(s, "genesis", o, "blockTimeMs");
    p->max_interval_ms = need_u32(s, "genesis", o, "maxIntervalMs");
    p->execute_before_finalize = need_bool(s, "genesis", o, "executeBeforeFinalize") ? 1 : 0;
    p->gas_limit = need_u64(s, "genesis", o, "gasLimit", INT64_MAX);
}

static void take_seal(struct source *s, struct json_object *o, struct genesis *g)
{
    g->seal_ms = need_u32(s, "genesis", o, "sealIntervalMs");
    if (s->err == OK && (g->seal_ms < LIMIT_SEAL_MIN_MS || g->seal_ms > LIMIT_SEAL_MAX_MS)) {
        fail(s, "genesis", "'sealIntervalMs': expected %d to %d", (int)LIMIT_SEAL_MIN_MS,
             (int)LIMIT_SEAL_MAX_MS);
    }
}

static const char *const execution_word[EXECUTION_KINDS] = {
    [EXECUTION_LEDGER] = "ledger",
    [EXECUTION_CANCUN] = "cancun",
    [EXECUTION_PRAGUE] = "prague",
    [EXECUTION_OSAKA] = "osaka",
};

static void need_hash(struct source *s, const char *place, struct json_object *o, const char *key,
                      struct hash *out)
{
    char text[80] = "";
    need_text(s, place, o, key, text, sizeof text);
    if (s->err == OK && !hex_decode(out->b, sizeof out->b, text)) {
        fail(s, place, "'%s': expected a hash, 0x and 64 hex digits", key);
    }
}

/* Block 0 of the clients, where blocks are executed by them. */
static void take_execution(struct source *s, struct json_object *o, struct genesis *g)
{
    static const char place[] = "executionGenesis";
    static const char *const keys[] = {"hash", "stateRoot", "fork", NULL};
    char word[16] = "";
    struct json_object *e = NULL;
    if (s->err != OK || !json_object_object_get_ex(o, place, &e)) {
        return;
    }
    only_keys(s, place, e, keys);
    need_hash(s, place, e, "hash", &g->payload);
    need_hash(s, place, e, "stateRoot", &g->state_root);
    need_text(s, place, e, "fork", word, sizeof word);
    for (int i = EXECUTION_CANCUN; i < EXECUTION_KINDS; i++) {
        if (strcmp(word, execution_word[i]) == 0) {
            g->execution = (enum genesis_execution)i;
        }
    }
    if (g->execution == EXECUTION_LEDGER) {
        fail(s, place, "'fork': expected \"cancun\", \"prague\" or \"osaka\"");
    }
}

static void take_all(struct source *s, struct json_object *o, struct genesis *g)
{
    static const char *const keys[] = {"chainId",
                                       "timestampMs",
                                       "devnet",
                                       "registry",
                                       "faultModel",
                                       "pace",
                                       "turnSlots",
                                       "depth",
                                       "blockTimeMs",
                                       "maxIntervalMs",
                                       "executeBeforeFinalize",
                                       "gasLimit",
                                       "sealIntervalMs",
                                       "baseFee",
                                       "members",
                                       "alloc",
                                       "executionGenesis",
                                       NULL};
    only_keys(s, "genesis", o, keys);
    g->chain_id = need_u64(s, "genesis", o, "chainId", INT64_MAX);
    g->timestamp_ms = need_u64(s, "genesis", o, "timestampMs", INT64_MAX);
    g->devnet = need_bool(s, "genesis", o, "devnet");
    need_address(s, "genesis", o, "registry", &g->registry);
    take_params(s, o, &g->params);
    take_seal(s, o, g);
    struct json_object *fee = need(s, "genesis", o, "baseFee", json_type_string);
    if (fee != NULL) {
        take_amount(s, "genesis", "baseFee", fee, &g->base_fee);
    }
    take_members(s, o, g);
    take_allocs(s, o, g);
    take_execution(s, o, g);
}

static char *read_text(const char *path, size_t *n)
{
    FILE *f = fopen(path, "re");
    char *text = f == NULL ? NULL : malloc((size_t)LIMIT_CONFIG_BYTES + 2);
    if (text != NULL) {
        *n = fread(text, 1, (size_t)LIMIT_CONFIG_BYTES + 1, f);
        text[*n] = '\0';
    }
    if (f != NULL) {
        fclose(f);
    }
    return text;
}

static struct json_object *parse(struct source *s, const char *text, size_t n)
{
    struct json_tokener *t = json_tokener_new();
    if (t == NULL) {
        fail(s, "genesis", "out of memory");
        return NULL;
    }
    json_tokener_set_flags(t, JSON_TOKENER_STRICT);
    struct json_object *o = json_tokener_parse_ex(t, text, (int)n + 1);
    enum json_tokener_error e = json_tokener_get_error(t);
    size_t at = json_tokener_get_parse_end(t);
    char place[64];
    if (e != json_tokener_success) {
        struct json_place p = json_place_of(text, at);
        snprintf(place, sizeof place, "%zu:%zu", p.line, p.column);
        fail(s, place, "%s", json_tokener_error_desc(e));
    } else if (json_keys_twice(text, n, &at)) {
        struct json_place p = json_place_of(text, at);
        snprintf(place, sizeof place, "%zu:%zu", p.line, p.column);
        fail(s, place, "a key stands twice, or with an escape; keep one, in plain letters");
    }
    json_tokener_free(t);
    return o;
}

/* The rules of CONSENSUS 1, and the genesis state. */
static enum err complete(struct source *s, struct genesis *g)
{
    char why[384] = "";
    struct epoch_config epoch;
    enum err e = genesis_epoch_config(&epoch, g, why, sizeof why);
    if (e != OK) {
        fail(s, "genesis", "%s", why);
        return e;
    }
    struct ledger *ledger = NULL;
    if (g->execution != EXECUTION_LEDGER) {
        return OK;
    }
    e = ledger_create(&ledger, g);
    if (e != OK) {
        fail(s, "alloc", "the genesis state cannot be made: %s", err_text(e));
        return e;
    }
    ledger_destroy(ledger);
    return OK;
}

enum err genesis_file_read(struct genesis *out, const char *path, char *why, size_t why_len)
{
    struct source s = {.path = path, .why = why, .why_len = why_len};
    size_t n = 0;
    memset(out, 0, sizeof *out);
    char *text = read_text(path, &n);
    if (text == NULL || n > LIMIT_CONFIG_BYTES) {
        snprintf(why, why_len,
                 text == NULL ? "%s cannot be read; give the chain's genesis with --genesis FILE"
                              : "%s is too large for a genesis",
                 path);
        free(text);
        return ERR_CONFIG;
    }
    struct json_object *o = parse(&s, text, n);
    free(text);
    if (s.err == OK) {
        take_all(&s, o, out);
    }
    json_object_put(o);
    enum err e = s.err == OK ? complete(&s, out) : s.err;
    if (e != OK) {
        genesis_free(out);
    }
    return e;
}

void genesis_free(struct genesis *g)
{
    free(g->alloc);
    g->alloc = NULL;
    g->allocs = 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_amount(struct json_object *o, const char *key, const struct u256 *v)
{
    char text[U256_DEC_SIZE];
    u256_to_dec(text, v);
    json_put_text(o, key, text);
}

static struct json_object *member_doc(const struct member *m)
{
    struct json_object *o = json_object_new_object();
    struct json_object *d = json_object_new_object();
    json_put_text(o, "name", m->name);
    json_object_object_add(o, "address", json_address(&m->address));
    json_put_u64(o, "weight", m->weight);
    json_put_text(o, "endpoint", m->endpoint);
    json_put_text(d, "provider", m->domain.provider);
    json_put_text(d, "region", m->domain.region);
    json_put_text(d, "operator", m->domain.operator_name);
    json_object_object_add(o, "domain", d);
    return o;
}

static struct json_object *genesis_doc(const struct genesis *g)
{
    const struct epoch_params *p = &g->params;
    struct json_object *o = json_object_new_object();
    struct json_object *members = json_object_new_array();
    struct json_object *alloc = json_object_new_object();
    json_put_u64(o, "chainId", g->chain_id);
    json_put_u64(o, "timestampMs", g->timestamp_ms);
    json_put_bool(o, "devnet", g->devnet);
    json_object_object_add(o, "registry", json_address(&g->registry));
    json_put_text(o, "faultModel", p->fault_model == FAULT_BFT ? "bft" : "crash");
    json_put_text(o, "pace", p->pace == PACE_FIXED ? "fixed" : "demand");
    json_put_u64(o, "turnSlots", p->turn_slots);
    json_put_u64(o, "depth", p->depth);
    json_put_u64(o, "blockTimeMs", p->block_time_ms);
    json_put_u64(o, "maxIntervalMs", p->max_interval_ms);
    json_put_bool(o, "executeBeforeFinalize", p->execute_before_finalize != 0);
    json_put_u64(o, "gasLimit", p->gas_limit);
    json_put_u64(o, "sealIntervalMs", g->seal_ms);
    put_amount(o, "baseFee", &g->base_fee);
    for (uint32_t i = 0; i < g->n; i++) {
        json_object_array_add(members, member_doc(&g->member[i]));
    }
    json_object_object_add(o, "members", members);
    for (uint32_t i = 0; i < g->allocs; i++) {
        char key[HEX_SIZE(20)];
        hex_encode(key, g->alloc[i].address.b, sizeof g->alloc[i].address.b);
        put_amount(alloc, key, &g->alloc[i].balance);
    }
    json_object_object_add(o, "alloc", alloc);
    if (g->execution != EXECUTION_LEDGER) {
        struct json_object *e = json_object_new_object();
        json_object_object_add(e, "hash", json_hash(&g->payload));
        json_object_object_add(e, "stateRoot", json_hash(&g->state_root));
        json_put_text(e, "fork", execution_word[g->execution]);
        json_object_object_add(o, "executionGenesis", e);
    }
    return o;
}

enum err genesis_file_write(const struct genesis *g, const char *path, char *why, size_t why_len)
{
    struct json_object *o = genesis_doc(g);
    FILE *f = fopen(path, "we");
    bool ok = f != NULL &&
              fprintf(f, "%s\n",
                      json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
                                                            JSON_C_TO_STRING_NOSLASHESCAPE)) > 0;
    if (f != NULL) {
        ok = fclose(f) == 0 && ok;
    }
    json_object_put(o);
    if (!ok) {
        snprintf(why, why_len, "%s cannot be written; is the folder there and the disk not full?",
                 path);
        return ERR_IO;
    }
    return OK;
}
