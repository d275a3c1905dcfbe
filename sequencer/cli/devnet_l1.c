/* The L1 of a devnet: anvil, started here, or the one behind a URL. Posters are paid from the first
 * of the standard test accounts, which anvil funds; elsewhere somebody has to. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/tx.h"
#include "sequencer/cli/devnet.h"
#include "sequencer/cli/doc.h"
#include "sequencer/cli/rpc_client.h"
#include "sequencer/node/keyfile.h"
#include "sequencer/node/l1_link.h"

enum {
    TRIES = 200,
    TRY_MS = 50,
    RPC_MS = 5000,
    POSTER_KEY = 1000000, /* the posters' keys begin here (devnet_key) */
    TRANSFER_GAS = 21000,
    RAW = 512
};
static const uint64_t POSTER_WEI = 10000000000000000000U; /* 10 ETH */
static const uint64_t LEAST_WEI = 50000000000000000U;     /* 0.05 ETH: some segments */
static const uint64_t PRICE_WEI = 100000000000U;          /* 100 gwei */
static const uint64_t TIP_WEI = 2000000000U;

bool devnet_l1_wanted(const struct devnet *d)
{
    return d->options.l1 != NULL && strcmp(d->options.l1, "none") != 0;
}

static enum err call(const struct devnet *d, struct json_object **out, const char *method,
                     struct json_object *params, char *why, size_t why_len)
{
    const struct rpc_target t = {d->l1.rpc, NULL, RPC_MS};
    enum err e = rpc_client_call(out, &t, method, params, why, why_len);
    json_object_put(params);
    return e;
}

static struct json_object *list(const char *a, const char *b)
{
    struct json_object *o = json_object_new_array();
    json_object_array_add(o, json_object_new_string(a));
    if (b != NULL) {
        json_object_array_add(o, json_object_new_string(b));
    }
    return o;
}

/* ---- what nodes must know -------------------------------------------------------------------- */

static enum err read_chain(struct devnet *d, char *why, size_t why_len)
{
    struct json_object *r = NULL;
    enum err e = ERR_UNREACHABLE;
    for (int i = 0; i < TRIES && e == ERR_UNREACHABLE; i++) {
        e = call(d, &r, "eth_chainId", json_object_new_array(), why, why_len);
        uv_sleep(e == OK ? 0 : TRY_MS);
    }
    if (e != OK) {
        snprintf(why, why_len, "--l1: %s does not answer as an Ethereum JSON-RPC endpoint does",
                 d->l1.rpc);
        return e;
    }
    d->l1.chain_id = r == NULL ? 0 : strtoull(json_object_get_string(r), NULL, 16);
    json_object_put(r);
    if (d->l1.anvil && d->l1.chain_id != DEVNET_L1_CHAIN) {
        snprintf(why, why_len, "--l1 anvil: something else answers at %s; choose another --base-port",
                 d->l1.rpc);
        return ERR_CONFIG;
    }
    return d->l1.chain_id != 0 ? OK : ERR_MALFORMED;
}

static enum err read_block(struct devnet *d, const char *name, struct json_object **out, char *why,
                           size_t why_len)
{
    struct json_object *params = list(name, NULL);
    json_object_array_add(params, json_object_new_boolean(false));
    return call(d, out, "eth_getBlockByNumber", params, why, why_len);
}

/* The block that stands when the chain begins: no batch is in it or before it. anvil's very first
 * is another one after each of its starts. */
static enum err read_start(struct devnet *d, char *why, size_t why_len)
{
    unsigned long long number = 0;
    for (int i = 0; i < TRIES; i++) {
        struct json_object *r = NULL;
        TRY(read_block(d, "latest", &r, why, why_len));
        number = strtoull(doc_text(r, "number", "0"), NULL, 16);
        snprintf(d->l1.start, sizeof d->l1.start, "%llu:%.66s", number, doc_text(r, "hash", ""));
        json_object_put(r);
        if (number > 0 || !d->l1.anvil) {
            return OK;
        }
        uv_sleep(TRY_MS);
    }
    snprintf(why, why_len, "--l1 anvil: it makes no blocks; see %s/anvil.log", d->dir);
    return ERR_UNREACHABLE;
}

/* ---- paying the posters ---------------------------------------------------------------------- */

static enum err pay(struct devnet *d, uint64_t nonce, const struct address *to,
                    const struct u256 *wei, char *why, size_t why_len)
{
    uint8_t raw[RAW];
    char text[HEX_SIZE(RAW)];
    size_t n = 0;
    struct json_object *r = NULL;
    const struct tx_request tx = {.chain_id = d->l1.chain_id, .nonce = nonce,
                                  .max_priority_fee = u256_from_u64(TIP_WEI),
                                  .max_fee = u256_from_u64(PRICE_WEI), .gas = TRANSFER_GAS,
                                  .to = *to, .value = *wei};
    TRY(tx_sign(raw, sizeof raw, &n, &tx, &d->account[0].key));
    hex_encode(text, raw, n);
    TRY(call(d, &r, "eth_sendRawTransaction", list(text, NULL), why, why_len));
    json_object_put(r);
    return OK;
}

/* What an account has, at most 18 ETH of it. */
static enum err balance(struct devnet *d, const struct address *a, uint64_t *wei, char *why,
                        size_t why_len)
{
    char text[HEX_SIZE(20)];
    struct json_object *r = NULL;
    hex_encode(text, a->b, 20);
    TRY(call(d, &r, "eth_getBalance", list(text, "latest"), why, why_len));
    *wei = r == NULL ? 0 : strtoull(json_object_get_string(r), NULL, 16); /* or UINT64_MAX */
    json_object_put(r);
    return OK;
}

/* Each poster that has nothing gets as much as the payer has for all of them. */
static enum err short_of_money(const struct devnet *d, char *why, size_t why_len)
{
    char payer[HEX_SIZE(20)];
    char text[LIMIT_MEMBERS * (HEX_SIZE(20) + 2)] = "";
    hex_encode(payer, d->account[0].address.b, 20);
    for (uint32_t i = 0; i < d->n; i++) {
        size_t at = strlen(text);
        char one[HEX_SIZE(20)];
        hex_encode(one, d->l1.poster[i].b, 20);
        snprintf(text + at, sizeof text - at, "%s%s", i == 0 ? "" : ", ", one);
    }
    snprintf(why, why_len, "--l1: nobody can pay there: send ether to the posters (at least 0.05 "
                           "each) or to %s, who pays them, and start again; posters: %s",
             payer, text);
    return ERR_CONFIG;
}

static enum err share_of(struct devnet *d, uint32_t poor, uint64_t *wei, char *why, size_t why_len)
{
    uint64_t has;
    TRY(balance(d, &d->account[0].address, &has, why, why_len));
    *wei = has / 2 / poor;
    if (has == UINT64_MAX) {
        *wei = POSTER_WEI;
    }
    return *wei >= LEAST_WEI ? OK : short_of_money(d, why, why_len);
}

static enum err fund(struct devnet *d, char *why, size_t why_len)
{
    struct json_object *r = NULL;
    bool is_poor[LIMIT_MEMBERS] = {false};
    uint32_t poor = 0;
    uint64_t wei = 0;
    char payer[HEX_SIZE(20)];
    for (uint32_t i = 0; i < d->n; i++) {
        TRY(balance(d, &d->l1.poster[i], &wei, why, why_len));
        is_poor[i] = wei < LEAST_WEI;
        poor += is_poor[i];
    }
    if (poor == 0) {
        return OK;
    }
    TRY(share_of(d, poor, &wei, why, why_len));
    hex_encode(payer, d->account[0].address.b, 20);
    TRY(call(d, &r, "eth_getTransactionCount", list(payer, "pending"), why, why_len));
    uint64_t nonce = r == NULL ? 0 : strtoull(json_object_get_string(r), NULL, 16);
    json_object_put(r);
    const struct u256 each = u256_from_u64(wei);
    for (uint32_t i = 0; i < d->n; i++) {
        if (is_poor[i]) {
            TRY(pay(d, nonce++, &d->l1.poster[i], &each, why, why_len));
        }
    }
    return OK;
}

/* ---- new, or as before ----------------------------------------------------------------------- */

static void record_path(const struct devnet *d, char path[DEVNET_PATH + 16])
{
    snprintf(path, DEVNET_PATH + 16, "%s/l1.json", d->dir);
}

enum err devnet_l1_keep(const struct devnet *d)
{
    char path[DEVNET_PATH + 16];
    if (!d->l1.wanted) {
        return OK;
    }
    struct json_object *o = json_object_new_object();
    doc_put_text(o, "kind", d->l1.anvil ? "anvil" : "url");
    doc_put_text(o, "rpc", d->l1.rpc);
    doc_put_u64(o, "chainId", d->l1.chain_id);
    doc_put_text(o, "start", d->l1.start);
    doc_put_text(o, "da", d->l1.layer);
    doc_put_u64(o, "seed", d->options.seed);
    record_path(d, path);
    enum err e = devnet_record_write(path, json_object_to_json_string(o));
    json_object_put(o);
    return e;
}

static enum err find_posters(struct devnet *d)
{
    for (uint32_t i = 0; i < d->n; i++) {
        struct secret_key key;
        TRY(devnet_l1_poster(d, i, &key, &d->l1.poster[i]));
    }
    return OK;
}

enum err devnet_l1_poster(const struct devnet *d, uint32_t i, struct secret_key *key,
                          struct address *out)
{
    TRY(devnet_key(key, d->options.seed, POSTER_KEY + i));
    return key_address(out, key);
}

enum err devnet_l1_open(struct devnet *d, char *why, size_t why_len)
{
    struct devnet_l1 *l = &d->l1;
    if (!devnet_l1_wanted(d)) {
        return OK;
    }
    l->wanted = true;
    l->anvil = strcmp(d->options.l1, "anvil") == 0;
    snprintf(l->layer, sizeof l->layer, "%s", d->options.da != NULL ? d->options.da : "calldata");
    snprintf(l->rpc, sizeof l->rpc, "%s", d->options.l1);
    if (l->anvil) {
        TRY(devnet_anvil_start(d, why, why_len));
    }
    TRY(read_chain(d, why, why_len));
    TRY(read_start(d, why, why_len));
    TRY(find_posters(d));
    return fund(d, why, why_len);
}

static enum err check_options(const struct devnet *d, char *why, size_t why_len)
{
    const struct devnet_options *o = &d->options;
    const struct devnet_l1 *l = &d->l1;
    const char *made = l->anvil ? "anvil" : l->rpc;
    if (o->l1 != NULL && strcmp(o->l1, made) != 0) {
        snprintf(why, why_len, "--l1 %.80s: the batches of %s are on %s, and stay there; leave the "
                               "option out or choose another --dir", o->l1, d->dir, made);
        return ERR_CONFIG;
    }
    if (o->da != NULL && strcmp(o->da, l->layer) != 0) {
        snprintf(why, why_len, "--da %s: %s was made with %s; leave the option out or choose "
                               "another --dir", o->da, d->dir, l->layer);
        return ERR_CONFIG;
    }
    return OK;
}

/* The block that the nodes began at must be there: another chain holds none of the batches. */
static enum err check_start(struct devnet *d, char *why, size_t why_len)
{
    char number[32];
    char hash[72];
    struct json_object *r = NULL;
    snprintf(number, sizeof number, "0x%llx", strtoull(d->l1.start, NULL, 10));
    snprintf(hash, sizeof hash, "%s", strchr(d->l1.start, ':') != NULL ? strchr(d->l1.start, ':') + 1
                                                                      : "");
    TRY(read_block(d, number, &r, why, why_len));
    bool same = strcmp(doc_text(r, "hash", ""), hash) == 0;
    json_object_put(r);
    if (!same) {
        snprintf(why, why_len, "--l1 anvil: it began anew, for %s/anvil.json is lost, and holds "
                               "nothing of what was posted; delete %s or choose another --dir",
                 d->dir, d->dir);
        return ERR_CONFIG;
    }
    return OK;
}

enum err devnet_l1_resume(struct devnet *d, char *why, size_t why_len)
{
    char path[DEVNET_PATH + 16];
    struct devnet_l1 *l = &d->l1;
    record_path(d, path);
    struct json_object *o = doc_read(path);
    if (o == NULL) {
        return OK;
    }
    l->wanted = true;
    l->anvil = strcmp(doc_text(o, "kind", ""), "anvil") == 0;
    l->chain_id = doc_u64(o, "chainId", 0);
    snprintf(l->rpc, sizeof l->rpc, "%s", doc_text(o, "rpc", ""));
    snprintf(l->start, sizeof l->start, "%s", doc_text(o, "start", ""));
    snprintf(l->layer, sizeof l->layer, "%s", doc_text(o, "da", ""));
    d->options.seed = doc_u64(o, "seed", d->options.seed);
    json_object_put(o);
    TRY(check_options(d, why, why_len));
    TRY(find_posters(d));
    if (!l->anvil) {
        return OK; /* the nodes wait where it does not answer */
    }
    TRY(devnet_anvil_start(d, why, why_len));
    TRY(read_chain(d, why, why_len));
    return check_start(d, why, why_len);
}

struct json_object *devnet_l1_doc(const struct devnet *d)
{
    struct epoch_config c;
    char why[128];
    if (!d->l1.wanted || genesis_epoch_config(&c, &d->genesis, why, sizeof why) != OK) {
        return NULL;
    }
    struct json_object *o = json_object_new_object();
    struct json_object *posters = json_object_new_array();
    struct address inbox = l1_inbox(&c);
    struct address auth = l1_auth(&c);
    for (uint32_t i = 0; i < d->n; i++) {
        char text[HEX_SIZE(20)];
        hex_encode(text, d->l1.poster[i].b, 20);
        json_object_array_add(posters, json_object_new_string(text));
    }
    doc_put_text(o, "rpc", d->l1.rpc);
    doc_put_u64(o, "chainId", d->l1.chain_id);
    doc_put_address(o, "inbox", &inbox);
    doc_put_address(o, "auth", &auth);
    doc_put(o, "posters", posters);
    doc_put(o, "pid", d->l1.pid != 0 ? json_object_new_int(d->l1.pid) : NULL);
    return o;
}
