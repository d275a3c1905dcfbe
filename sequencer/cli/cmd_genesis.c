#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "sequencer/cli/address_text.h"
#include "sequencer/cli/cli.h"
#include "sequencer/cli/doc.h"
#include "sequencer/cli/member_files.h"
#include "sequencer/cli/options.h"
#include "sequencer/cli/suggest.h"
#include "sequencer/node/genesis_file.h"
#include "sequencer/node/keyfile.h"

struct genesis_options {
    const char *out;
    const char *genesis;
    const char *dir;
    uint64_t chain_id;
    struct option_list members;
    struct option_list allocs;
    const char *fault;
    const char *pace;
    const char *registry;
    uint64_t turn;
    uint64_t depth;
    uint64_t block_ms;
    uint64_t idle_ms;
    uint64_t gas_limit;
    uint64_t seal_ms;
    uint64_t base_fee;
    bool devnet;
    bool lost;
    bool json;
};

static int fail(enum err e, const char *why)
{
    return cli_fail(cli_exit_of(e), "genesis: %s", *why != '\0' ? why : err_text(e));
}

static bool copy_text(char *out, size_t cap, const char *value, size_t n)
{
    if (n >= cap) {
        return false;
    }
    memcpy(out, value, n);
    out[n] = '\0';
    return true;
}

/* One `key=value` of --member. */
static bool set_field(struct member *m, const char *key, size_t key_n, const char *value, size_t n)
{
    char text[ENDPOINT_SIZE] = "";
    uint64_t weight = 0;
    const struct {
        const char *name;
        char *out;
        size_t cap;
    } texts[] = {
        {"name", m->name, NAME_SIZE},
        {"endpoint", m->endpoint, ENDPOINT_SIZE},
        {"provider", m->domain.provider, NAME_SIZE},
        {"region", m->domain.region, NAME_SIZE},
        {"operator", m->domain.operator_name, NAME_SIZE},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strlen(texts[i].name) == key_n && memcmp(texts[i].name, key, key_n) == 0) {
            return copy_text(texts[i].out, texts[i].cap, value, n);
        }
    }
    if (!copy_text(text, sizeof text, value, n)) {
        return false;
    }
    if (key_n == 7 && memcmp(key, "address", 7) == 0) {
        return hex_decode(m->address.b, 20, text);
    }
    if (key_n == 6 && memcmp(key, "weight", 6) == 0 && number_parse(&weight, text) &&
        weight <= LIMIT_TOTAL_WEIGHT) {
        m->weight = (uint32_t)weight;
        return true;
    }
    return false;
}

/* "name=a,address=0x…,endpoint=host:port,weight=1,provider=…,region=…,operator=…" */
static enum err parse_member(struct member *m, const char *text, char *why, size_t why_len)
{
    *m = (struct member){.weight = 1};
    for (const char *p = text; *p != '\0';) {
        size_t pair = strcspn(p, ",");
        const char *equals = memchr(p, '=', pair);
        if (equals == NULL ||
            !set_field(m, p, (size_t)(equals - p), equals + 1, pair - (size_t)(equals - p) - 1)) {
            snprintf(why, why_len,
                     "--member: `%.*s`: expected name=, address=, endpoint=host:port, weight=, "
                     "provider=, region= or operator=",
                     (int)(pair < 80 ? pair : 80), p);
            return ERR_USAGE;
        }
        p += pair + (p[pair] == ',' ? 1 : 0);
    }
    static const struct address nobody;
    if (m->endpoint[0] == '\0' || m->name[0] == '\0' || address_equal(&m->address, &nobody)) {
        snprintf(why, why_len, "--member %.80s: name, address and endpoint are needed", text);
        return ERR_USAGE;
    }
    return OK;
}

static enum err parse_alloc(struct genesis_alloc *a, const char *text, char *why, size_t why_len)
{
    char address[64];
    const char *equals = strchr(text, '=');
    if (equals == NULL || !copy_text(address, sizeof address, text, (size_t)(equals - text)) ||
        !hex_decode(a->address.b, 20, address) || !u256_parse(&a->balance, equals + 1)) {
        snprintf(why, why_len, "--alloc %.100s: expected ADDRESS=WEI", text);
        return ERR_USAGE;
    }
    return OK;
}

static enum err parse_lists(struct genesis *g, const struct genesis_options *o, char *why,
                            size_t why_len)
{
    if (o->members.n == 0 || o->members.n > LIMIT_MEMBERS) {
        snprintf(why, why_len, "give 1 to %d times --member", LIMIT_MEMBERS);
        return ERR_USAGE;
    }
    for (size_t i = 0; i < o->members.n; i++) {
        TRY(parse_member(&g->member[i], o->members.item[i], why, why_len));
    }
    g->n = (uint32_t)o->members.n;
    g->alloc = calloc(o->allocs.n + 1, sizeof *g->alloc);
    if (g->alloc == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < o->allocs.n; i++) {
        TRY(parse_alloc(&g->alloc[i], o->allocs.item[i], why, why_len));
    }
    g->allocs = (uint32_t)o->allocs.n;
    genesis_sort(g);
    return OK;
}

static enum err make(struct genesis *g, const struct genesis_options *o, char *why, size_t why_len)
{
    struct timeval now;
    struct epoch_config config;
    bool demand = strcmp(o->pace, "demand") == 0;
    gettimeofday(&now, NULL);
    g->chain_id = o->chain_id;
    g->timestamp_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_usec / 1000;
    g->devnet = o->devnet;
    g->seal_ms = (uint32_t)o->seal_ms;
    g->base_fee = u256_from_u64(o->base_fee);
    g->params = (struct epoch_params){
        .fault_model = strcmp(o->fault, "crash") == 0 ? FAULT_CRASH : FAULT_BFT,
        .pace = demand ? PACE_DEMAND : PACE_FIXED,
        .turn_slots = (uint32_t)o->turn,
        .depth = (uint32_t)o->depth,
        .block_time_ms = (uint32_t)o->block_ms,
        .max_interval_ms = (uint32_t)(demand ? o->idle_ms : o->block_ms),
        .execute_before_finalize = 1,
        .gas_limit = o->gas_limit,
    };
    if (o->registry != NULL && !hex_decode(g->registry.b, 20, o->registry)) {
        snprintf(why, why_len, "--registry %.80s: expected an address", o->registry);
        return ERR_USAGE;
    }
    TRY(parse_lists(g, o, why, why_len));
    return genesis_epoch_config(&config, g, why, why_len);
}

static int run_new(const struct genesis_options *o)
{
    struct genesis g = {0};
    char why[512] = "";
    enum err e = o->chain_id != 0 ? make(&g, o, why, sizeof why) : ERR_USAGE;
    if (o->chain_id == 0) {
        snprintf(why, sizeof why, "new needs --chain-id");
    }
    if (e == OK && *why != '\0') {
        fprintf(stderr, "baton: genesis: warning: %s\n", why);
    }
    if (e == OK) {
        e = genesis_file_write(&g, o->out, why, sizeof why);
    }
    genesis_free(&g);
    return e == OK ? CLI_DONE : fail(e, why);
}

static struct json_object *describe_member(const struct member *m)
{
    struct json_object *o = json_object_new_object();
    doc_put_text(o, "name", m->name);
    doc_put_address(o, "address", &m->address);
    doc_put_u64(o, "weight", m->weight);
    doc_put_text(o, "endpoint", m->endpoint);
    doc_put_text(o, "provider", m->domain.provider);
    doc_put_text(o, "region", m->domain.region);
    doc_put_text(o, "operator", m->domain.operator_name);
    return o;
}

static struct json_object *describe(const struct genesis *g, const struct epoch_config *c)
{
    struct json_object *o = json_object_new_object();
    struct json_object *members = json_object_new_array();
    struct hash hash = genesis_hash(g);
    doc_put_u64(o, "chainId", g->chain_id);
    doc_put_hash(o, "genesis", &hash);
    doc_put_hash(o, "config", &c->hash);
    doc_put_text(o, "fault", g->params.fault_model == FAULT_BFT ? "bft" : "crash");
    doc_put_text(o, "pace", g->params.pace == PACE_FIXED ? "fixed" : "demand");
    doc_put_u64(o, "blockTimeMs", g->params.block_time_ms);
    doc_put_u64(o, "turn", g->params.turn_slots);
    doc_put_u64(o, "sealIntervalMs", g->seal_ms);
    doc_put_u64(o, "weight", c->total);
    doc_put_u64(o, "faulty", c->faulty);
    doc_put_u64(o, "quorum", c->quorum);
    doc_put_u64(o, "blocking", c->blocking);
    for (uint32_t i = 0; i < g->n; i++) {
        json_object_array_add(members, describe_member(&g->member[i]));
    }
    doc_put(o, "members", members);
    doc_put_u64(o, "accounts", g->allocs);
    return o;
}

static void print_text(const struct genesis *g, const struct epoch_config *c)
{
    char hash[HEX_SIZE(32)];
    struct hash h = genesis_hash(g);
    hex_encode(hash, h.b, 32);
    printf("chain %" PRIu64 ", genesis %s\n%s, quorum %u of weight %u (survives the loss of %u, "
           "%u lying), block time %u ms, %u slots a turn, %u accounts\n",
           g->chain_id, hash, g->params.fault_model == FAULT_BFT ? "bft" : "crash", c->quorum,
           c->total, c->total - c->quorum, c->faulty, g->params.block_time_ms, g->params.turn_slots,
           g->allocs);
    for (uint32_t i = 0; i < g->n; i++) {
        const struct member *m = &g->member[i];
        char address[HEX_SIZE(20)];
        address_text(address, &m->address);
        printf("%3u  %-16s %s  weight %u  %-22s %s/%s %s\n", i, m->name, address, m->weight,
               m->endpoint, m->domain.provider, m->domain.region, m->domain.operator_name);
    }
}

static int run_show(const struct genesis_options *o, const char *path, bool check)
{
    struct genesis g = {0};
    struct epoch_config config;
    char why[512] = "";
    enum err e = genesis_file_read(&g, path, why, sizeof why);
    if (e == OK) {
        e = genesis_epoch_config(&config, &g, why, sizeof why);
    }
    if (e != OK) {
        genesis_free(&g);
        return fail(e, why);
    }
    if (o->json) {
        struct json_object *doc = describe(&g, &config);
        doc_print_pretty(doc);
        json_object_put(doc);
    } else if (check) {
        printf("ok%s%s\n", *why != '\0' ? "; warning: " : "", why);
    } else {
        print_text(&g, &config);
    }
    genesis_free(&g);
    return CLI_DONE;
}

static enum err make_journal(const struct genesis_options *o, struct genesis *g, char *why,
                             size_t why_len)
{
    char key[560];
    struct address address;
    struct epoch_config config;
    snprintf(key, sizeof key, "%.500s/key.json", o->dir);
    TRY(genesis_file_read(g, o->genesis, why, why_len));
    TRY(genesis_epoch_config(&config, g, why, why_len));
    TRY(keyfile_address(&address, key, why, why_len));
    if (members_find(&config, &address) < 0) {
        snprintf(why, why_len, "the key of %.300s is no member of this genesis", o->dir);
        return ERR_CONFIG;
    }
    TRY(member_files_journal(o->dir, g, &address, o->lost, why, why_len));
    enum err token = member_files_token(o->dir);
    return token == ERR_IN_USE ? OK : token;
}

static int run_init(const struct genesis_options *o)
{
    struct genesis g = {0};
    char why[512] = "";
    if (o->dir == NULL || o->genesis == NULL) {
        return cli_fail(CLI_USAGE, "genesis: init needs --dir and --genesis");
    }
    enum err e = make_journal(o, &g, why, sizeof why);
    genesis_free(&g);
    return e == OK ? CLI_DONE : fail(e, why);
}

static int dispatch(const struct genesis_options *o, const struct words *words)
{
    static const char *const names[] = {"new", "check", "show", "init"};
    const char *word = words->n > 0 ? words->word[0] : "";
    bool reads = strcmp(word, "check") == 0 || strcmp(word, "show") == 0;
    if (reads && words->n == 2) {
        return run_show(o, words->word[1], word[0] == 'c');
    }
    if (reads) {
        return cli_fail(CLI_USAGE, "genesis: the form is `baton genesis %s FILE`", word);
    }
    if (strcmp(word, "new") == 0) {
        return run_new(o);
    }
    if (strcmp(word, "init") == 0) {
        return run_init(o);
    }
    const char *near = suggest(word, names, 4);
    return cli_fail(CLI_USAGE, "genesis: expected new, check, show or init%s%s%s",
                    near != NULL ? "; did you mean `" : "", near != NULL ? near : "",
                    near != NULL ? "`?" : "");
}

int cmd_genesis(int argc, char **argv)
{
    static struct genesis_options o = {.out = "genesis.json",
                                       .fault = "bft",
                                       .pace = "fixed",
                                       .turn = 8,
                                       .depth = 3,
                                       .block_ms = 200,
                                       .idle_ms = 1000,
                                       .gas_limit = 60000000,
                                       .seal_ms = GENESIS_SEAL_MS,
                                       .base_fee = 1000000000};
    struct words words = {.n = 0};
    const struct option table[] = {
        {"out", OPTION_TEXT, &o.out, "FILE", 0, 0, "new: where to write (genesis.json)"},
        {"chain-id", OPTION_NUMBER, &o.chain_id, "ID", 1, INT64_MAX, "new: needed"},
        {"member", OPTION_LIST, &o.members, "FIELDS", 0, 0,
         "new: name=,address=,endpoint=host:port[,weight=][,provider=][,region=][,operator=]; once "
         "a member"},
        {"alloc", OPTION_LIST, &o.allocs, "ADDRESS=WEI", 0, 0, "new: once an account"},
        {"fault", OPTION_CHOICE, &o.fault, "bft|crash", 0, 0, "new: (bft)"},
        {"pace", OPTION_CHOICE, &o.pace, "fixed|demand", 0, 0, "new: (fixed)"},
        {"turn", OPTION_NUMBER, &o.turn, "K", 1, LIMIT_TURN_SLOTS, "new: slots a turn (8)"},
        {"depth", OPTION_NUMBER, &o.depth, "N", 1, LIMIT_DEPTH, "new: pipeline depth (3)"},
        {"block-time", OPTION_DURATION, &o.block_ms, "TIME", 50, 10000, "new: (200ms)"},
        {"idle-interval", OPTION_DURATION, &o.idle_ms, "TIME", 50, 10000,
         "new, demand: heartbeat of an idle chain (1s)"},
        {"gas-limit", OPTION_NUMBER, &o.gas_limit, "GAS", 21000, INT64_MAX,
         "new: of a block (60000000)"},
        {"seal-interval", OPTION_DURATION, &o.seal_ms, "TIME", LIMIT_SEAL_MIN_MS,
         LIMIT_SEAL_MAX_MS, "new: a segment of batches is closed at the latest then (10s)"},
        {"base-fee", OPTION_NUMBER, &o.base_fee, "WEI", 0, INT64_MAX,
         "new: of the first block (1000000000)"},
        {"registry", OPTION_TEXT, &o.registry, "ADDRESS", 0, 0,
         "new: contract that signatures name"},
        {"devnet", OPTION_FLAG, &o.devnet, "", 0, 0, "new: allow admin_chaos"},
        {"genesis", OPTION_TEXT, &o.genesis, "FILE", 0, 0, "init: the genesis"},
        {"dir", OPTION_TEXT, &o.dir, "DIR", 0, 0, "init: the member's folder, with its key.json"},
        {"lost", OPTION_FLAG, &o.lost, "", 0, 0,
         "init: the member's files are lost and it may have signed"},
        {"json", OPTION_FLAG, &o.json, "", 0, 0, "show: as JSON"},
    };
    const struct command_line line = {
        "genesis", "new [OPTIONS] | check FILE | show FILE | init --genesis FILE --dir DIR [--lost]",
        "Writes and checks a genesis. init makes the first journal of a member whose key has "
        "never\n"
        "signed: do it once, when the chain is made. Later, with --lost, it makes one that signs\n"
        "nothing until the other members have cleared it.",
        table, sizeof table / sizeof table[0]};
    int code = options_read(&line, argc, argv, &words);
    return code >= 0 ? code : dispatch(&o, &words);
}
