/* The L1 of a devnet: anvil, started here, or the one behind a URL. Posters are paid from the first
 * of the standard test accounts, which anvil funds. */
#define _GNU_SOURCE
#include <signal.h>
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
    L1_PORT = 3000, /* above the base port */
    L1_CHAIN = 900,
    TRIES = 200,
    TRY_MS = 50,
    RPC_MS = 5000,
    POSTER_KEY = 1000000, /* the posters' keys begin here (devnet_key) */
    TRANSFER_GAS = 21000,
    RAW = 512
};
static const uint64_t POSTER_WEI = 10000000000000000000U; /* 10 ETH */
static const uint64_t PRICE_WEI = 100000000000U;          /* 100 gwei */
static const uint64_t TIP_WEI = 2000000000U;

bool devnet_l1_wanted(const struct devnet *d)
{
    return d->options.l1 != NULL && strcmp(d->options.l1, "none") != 0;
}

static bool is_anvil(const struct devnet *d)
{
    return devnet_l1_wanted(d) && strcmp(d->options.l1, "anvil") == 0;
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

/* ---- anvil ----------------------------------------------------------------------------------- */

/* The first executable of that name in PATH. */
static bool in_path(char path[DEVNET_PATH], const char *name)
{
    const char *at = getenv("PATH");
    while (at != NULL && *at != '\0') {
        size_t n = strcspn(at, ":");
        snprintf(path, DEVNET_PATH, "%.*s/%s", (int)n, at, name);
        if (access(path, X_OK) == 0) {
            return true;
        }
        at += n + (at[n] == ':');
    }
    return false;
}

static bool find_anvil(char path[DEVNET_PATH])
{
    static const char installed[] =
        "../tests/interop/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil";
    size_t n = DEVNET_PATH;
    const char *given = getenv("ANVIL");
    if (given != NULL) {
        snprintf(path, DEVNET_PATH, "%s", given);
        return access(path, X_OK) == 0;
    }
    if (uv_exepath(path, &n) == 0 && strrchr(path, '/') != NULL) {
        size_t at = (size_t)(strrchr(path, '/') + 1 - path);
        snprintf(path + at, DEVNET_PATH - at, "%s", installed);
        if (access(path, X_OK) == 0) {
            return true;
        }
    }
    return in_path(path, "anvil");
}

static void on_gone(uv_process_t *process, int64_t status, int signal)
{
    struct devnet *d = process->data;
    (void)status;
    (void)signal;
    if (!d->stopping) {
        fprintf(stderr, "baton: devnet: anvil ended: nothing is posted any more\n");
    }
    d->l1.pid = 0;
    uv_close((uv_handle_t *)process, NULL);
}

/* setpriv: it dies with this process, however that ends. */
static enum err spawn(struct devnet *d, char *why, size_t why_len)
{
    char path[DEVNET_PATH];
    char port[16];
    char chain[16];
    static char words[][24] = {"setpriv", "--pdeathsig", "KILL",         "--port",
                               "--chain-id", "--hardfork", "osaka",      "--block-time",
                               "1",       "--slots-in-an-epoch", "2",    "--quiet"};
    unsigned at = d->base_port + L1_PORT;
    if (!find_anvil(path)) {
        snprintf(why, why_len,
                 "--l1 anvil: no program `anvil` is in PATH; install Foundry, or run `npm ci` in "
                 "tests/interop, or name it with ANVIL=PATH");
        return ERR_CONFIG;
    }
    snprintf(port, sizeof port, "%u", at);
    snprintf(chain, sizeof chain, "%d", (int)L1_CHAIN);
    snprintf(d->l1.rpc, sizeof d->l1.rpc, "http://127.0.0.1:%u", at);
    char *args[] = {words[0], words[1], words[2], path,     words[3],  port,      words[4], chain,
                    words[5], words[6], words[7], words[8], words[9], words[10], words[11], NULL};
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE}, {.flags = UV_IGNORE}, {.flags = UV_IGNORE}};
    const uv_process_options_t o = {.exit_cb = on_gone, .file = words[0], .args = args,
                                    .flags = UV_PROCESS_DETACHED, .stdio_count = 3,
                                    .stdio = stdio};
    d->l1.process.data = d;
    int result = uv_spawn(&d->loop, &d->l1.process, &o);
    if (result != 0) {
        uv_close((uv_handle_t *)&d->l1.process, NULL);
        snprintf(why, why_len, "--l1 anvil: %s does not start: %s", path, uv_strerror(result));
        return ERR_CONFIG;
    }
    d->l1.pid = d->l1.process.pid;
    return OK;
}

void devnet_l1_stop(struct devnet *d)
{
    if (d->l1.pid != 0) {
        uv_process_kill(&d->l1.process, SIGKILL); /* it keeps nothing */
        d->l1.pid = 0;
    }
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
        snprintf(why, why_len, "--l1: %s does not answer", d->l1.rpc);
        return e;
    }
    d->l1.chain_id = r == NULL ? 0 : strtoull(json_object_get_string(r), NULL, 16);
    json_object_put(r);
    if (is_anvil(d) && d->l1.chain_id != L1_CHAIN) {
        snprintf(why, why_len, "--l1 anvil: something else answers at %s; choose another --base-port",
                 d->l1.rpc);
        return ERR_CONFIG;
    }
    return d->l1.chain_id != 0 ? OK : ERR_MALFORMED;
}

/* The block that stands when the chain begins: no batch is in it or before it. */
static enum err read_start(struct devnet *d, char *why, size_t why_len)
{
    struct json_object *r = NULL;
    struct json_object *params = list("latest", NULL);
    json_object_array_add(params, json_object_new_boolean(false));
    TRY(call(d, &r, "eth_getBlockByNumber", params, why, why_len));
    snprintf(d->l1.start, sizeof d->l1.start, "%llu:%.66s",
             strtoull(doc_text(r, "number", "0"), NULL, 16), doc_text(r, "hash", ""));
    json_object_put(r);
    return OK;
}

static enum err pay(struct devnet *d, uint64_t nonce, const struct address *to, char *why,
                    size_t why_len)
{
    uint8_t raw[RAW];
    char text[HEX_SIZE(RAW)];
    size_t n = 0;
    struct json_object *r = NULL;
    const struct tx_request tx = {.chain_id = d->l1.chain_id, .nonce = nonce,
                                  .max_priority_fee = u256_from_u64(TIP_WEI),
                                  .max_fee = u256_from_u64(PRICE_WEI), .gas = TRANSFER_GAS,
                                  .to = *to, .value = u256_from_u64(POSTER_WEI)};
    TRY(tx_sign(raw, sizeof raw, &n, &tx, &d->account[0].key));
    hex_encode(text, raw, n);
    TRY(call(d, &r, "eth_sendRawTransaction", list(text, NULL), why, why_len));
    json_object_put(r);
    return OK;
}

static enum err fund(struct devnet *d, char *why, size_t why_len)
{
    struct json_object *r = NULL;
    char payer[HEX_SIZE(20)];
    hex_encode(payer, d->account[0].address.b, 20);
    TRY(call(d, &r, "eth_getTransactionCount", list(payer, "pending"), why, why_len));
    uint64_t nonce = r == NULL ? 0 : strtoull(json_object_get_string(r), NULL, 16);
    json_object_put(r);
    for (uint32_t i = 0; i < d->n; i++) {
        TRY(pay(d, nonce + i, &d->l1.poster[i], why, why_len));
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
    if (!devnet_l1_wanted(d)) {
        return OK;
    }
    if (is_anvil(d)) {
        TRY(spawn(d, why, why_len));
    } else {
        snprintf(d->l1.rpc, sizeof d->l1.rpc, "%s", d->options.l1);
    }
    TRY(read_chain(d, why, why_len));
    TRY(read_start(d, why, why_len));
    for (uint32_t i = 0; i < d->n; i++) {
        struct secret_key key;
        TRY(devnet_l1_poster(d, i, &key, &d->l1.poster[i]));
    }
    return fund(d, why, why_len);
}

struct json_object *devnet_l1_doc(const struct devnet *d)
{
    struct epoch_config c;
    char why[128];
    if (!devnet_l1_wanted(d) || genesis_epoch_config(&c, &d->genesis, why, sizeof why) != OK) {
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
