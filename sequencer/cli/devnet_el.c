#define _GNU_SOURCE
#include "sequencer/cli/devnet_el.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sequencer/cli/devnet.h"
#include "sequencer/cli/doc.h"
#include "sequencer/cli/rpc_client.h"
#include "sequencer/engine/jwt.h"

enum { WAIT_US = 60000000, TRY_MS = 100, RPC_MS = 5000 };

static const struct {
    const char *name;
    const char *variable;
    const char *beside; /* the program of this process */
    const char *in_path;
} kinds[] = {
    [DEVNET_EL_NONE] = {"ledger", NULL, NULL, NULL},
    [DEVNET_EL_GETH] = {"geth", "GETH", "clients/geth", "geth"},
    [DEVNET_EL_OP_GETH] = {"op-geth", "OP_GETH", "clients/op-geth", "op-geth"},
    [DEVNET_EL_JS] = {"ethereumjs", "ETHEREUMJS",
                      "clients/ethereumjs/node_modules/@ethereumjs/client/dist/esm/bin/cli.js", NULL},
    [DEVNET_EL_URL] = {"url", NULL, NULL, NULL},
};

const char *devnet_el_name(enum devnet_el_kind kind)
{
    return kinds[kind].name;
}

const char *devnet_el_state(const struct devnet_el *el)
{
    if (el->kind == DEVNET_EL_NONE || el->kind == DEVNET_EL_URL) {
        return "";
    }
    return el->pid == 0 ? "down" : el->stopped ? "stopped" : "running";
}

struct json_object *devnet_el_doc(const struct devnet_el *el)
{
    if (el->kind == DEVNET_EL_NONE) {
        return NULL;
    }
    struct json_object *o = json_object_new_object();
    doc_put_text(o, "kind", devnet_el_name(el->kind));
    doc_put_text(o, "url", el->url);
    doc_put_text(o, "secret", el->secret);
    doc_put(o, "pid", el->pid != 0 ? json_object_new_int(el->pid) : NULL);
    return o;
}

/* ---- what was asked for -------------------------------------------------------------------------- */

bool devnet_el_wanted(const struct devnet *d)
{
    return d->options.el != NULL && strcmp(d->options.el, "ledger") != 0;
}

static bool are_urls(const char *el)
{
    return strncmp(el, "http://", 7) == 0 || strncmp(el, "https://", 8) == 0;
}

static enum devnet_el_kind kind_of(const char *el, uint32_t i)
{
    static const enum devnet_el_kind mixed[] = {DEVNET_EL_GETH, DEVNET_EL_OP_GETH, DEVNET_EL_JS};
    if (are_urls(el)) {
        return DEVNET_EL_URL;
    }
    if (strcmp(el, "mixed") == 0) {
        return mixed[i % 3];
    }
    for (int k = DEVNET_EL_GETH; k <= DEVNET_EL_JS; k++) {
        if (strcmp(el, kinds[k].name) == 0) {
            return (enum devnet_el_kind)k;
        }
    }
    return DEVNET_EL_NONE;
}

static uint32_t count_urls(const char *el)
{
    uint32_t n = 1;
    for (; *el != '\0'; el++) {
        n += *el == ',' ? 1 : 0;
    }
    return n;
}

const char *devnet_el_check(const struct devnet *d)
{
    const struct devnet_options *o = &d->options;
    uint64_t nodes = o->nodes != 0 ? o->nodes : 4;
    if (!devnet_el_wanted(d)) {
        return o->el_secret == NULL ? NULL : "--el-secret is for `--el URL,URL,…`";
    }
    if (kind_of(o->el, 0) == DEVNET_EL_NONE) {
        return "--el: expected ledger, geth, op-geth, ethereumjs, mixed, or URLs with commas between "
               "them";
    }
    if (are_urls(o->el) && (count_urls(o->el) != nodes || o->el_secret == NULL)) {
        return "--el URL,URL,…: one URL a node (their Engine APIs), and --el-secret FILE beside it";
    }
    if (!are_urls(o->el) && o->el_secret != NULL) {
        return "--el-secret is for `--el URL,URL,…`: clients that are started here get secrets of "
               "their own";
    }
    if (o->block_ms != 0 && o->block_ms < DEVNET_EL_LEAST_MS) {
        return "--block-time: timestamps of execution clients are whole seconds, each above the one "
               "before; with --el a block takes 1s or more";
    }
    if (o->l1 != NULL && strcmp(o->l1, "none") != 0) {
        return "--el with --l1: blocks of execution clients cannot be rebuilt from batches yet; leave "
               "one of both out";
    }
    return NULL;
}

/* ---- one client's place -------------------------------------------------------------------------- */

/* 0600, and never anywhere but in this file. An older one is kept. */
static enum err make_secret(const char *path)
{
    uint8_t secret[JWT_SECRET_BYTES];
    char text[HEX_SIZE(JWT_SECRET_BYTES)];
    if (access(path, F_OK) == 0) {
        return OK;
    }
    if (RAND_bytes(secret, sizeof secret) != 1) {
        return ERR_CRYPTO;
    }
    hex_encode(text, secret, sizeof secret);
    enum err e = devnet_record_write(path, text);
    OPENSSL_cleanse(secret, sizeof secret);
    OPENSSL_cleanse(text, sizeof text);
    return e;
}

/* geth has no flag for "listen for no peers"; its file has. */
static enum err make_folder(const struct devnet_el *el, char *why, size_t why_len)
{
    char path[DEVNET_PATH + 16];
    if (mkdir(el->dir, 0700) != 0 && errno != EEXIST) {
        snprintf(why, why_len, "%s: %s", el->dir, strerror(errno));
        return ERR_IO;
    }
    TRY(make_secret(el->secret));
    snprintf(path, sizeof path, "%s/geth.toml", el->dir);
    return devnet_record_write(path, "[Node.P2P]\nListenAddr = \"\"\n");
}

static enum err find(struct devnet_el *el, char *why, size_t why_len)
{
    if (!devnet_find_program(el->program, kinds[el->kind].variable, kinds[el->kind].beside,
                             kinds[el->kind].in_path)) {
        const char *name = devnet_el_name(el->kind);
        snprintf(why, why_len, "--el: there is no %s here; run `deploy/get-clients %s`, or name it with "
                               "%s=PATH", name, name, kinds[el->kind].variable);
        return ERR_CONFIG;
    }
    return OK;
}

static enum err place(struct devnet *d, uint32_t i, char *why, size_t why_len)
{
    struct devnet_el *el = &d->node[i].el;
    const char *url = d->options.el;
    el->node = &d->node[i];
    el->kind = kind_of(d->options.el, i);
    snprintf(el->dir, sizeof el->dir, "%.*s/el%u", DEVNET_PATH - 16, d->dir, i);
    if (el->kind == DEVNET_EL_URL) {
        for (uint32_t k = 0; k < i; k++) {
            url += strcspn(url, ",") + 1;
        }
        snprintf(el->url, sizeof el->url, "%.*s", (int)strcspn(url, ","), url);
        char *full = realpath(d->options.el_secret, NULL);
        snprintf(el->secret, sizeof el->secret, "%s", full != NULL ? full : d->options.el_secret);
        free(full);
        return OK;
    }
    unsigned port = d->base_port + DEVNET_EL_PORT + i;
    if (!devnet_port_is_free(port)) {
        snprintf(why, why_len, "port %u of node %u's client is in use; choose another --base-port", port,
                 i);
        return ERR_CONFIG;
    }
    snprintf(el->url, sizeof el->url, "http://127.0.0.1:%u", port);
    snprintf(el->secret, sizeof el->secret, "%.*s/el%u/jwt.hex", DEVNET_PATH - 16, d->dir, i);
    TRY(find(el, why, why_len));
    return make_folder(el, why, why_len);
}

static enum err start_all(struct devnet *d, char *why, size_t why_len)
{
    for (uint32_t i = 0; i < d->n; i++) {
        if (d->node[i].el.kind != DEVNET_EL_URL) {
            TRY(devnet_el_spawn(&d->node[i].el, why, why_len));
        }
    }
    return OK;
}

/* ---- block 0 ------------------------------------------------------------------------------------- */

static enum err ask(const struct devnet_el *el, struct json_object **out, char *why, size_t why_len)
{
    static const char bearer[] = "Authorization: Bearer ";
    struct jwt_secret secret;
    char header[JWT_HEADER_SIZE];
    TRY(jwt_read(&secret, el->secret, why, why_len));
    enum err e = jwt_header(header, &secret, (uint64_t)time(NULL));
    jwt_forget(&secret);
    TRY(e);
    struct json_object *params = json_object_new_array();
    json_object_array_add(params, json_object_new_string("0x0"));
    json_object_array_add(params, json_object_new_boolean(false));
    const struct rpc_target t = {el->url, header + strlen(bearer), RPC_MS};
    e = rpc_client_call(out, &t, "eth_getBlockByNumber", params, why, why_len);
    json_object_put(params);
    return e;
}

/* Clients take a while to listen; one that ends meanwhile says why in its log. */
static enum err wait_for(struct devnet_el *el, struct json_object **out, char *why, size_t why_len)
{
    uint64_t end = uv_hrtime() / 1000 + WAIT_US;
    enum err e = ERR_UNREACHABLE;
    bool ours = el->kind != DEVNET_EL_URL;
    while (e == ERR_UNREACHABLE && uv_hrtime() / 1000 < end && (!ours || el->pid != 0)) {
        e = ask(el, out, why, why_len);
        uv_run(&el->node->net->loop, UV_RUN_NOWAIT);
        uv_sleep(e == OK ? 0 : TRY_MS);
    }
    if (ours && el->pid == 0) {
        char last[256];
        devnet_el_last_words(el, last, sizeof last);
        snprintf(why, why_len, "--el: %s of node %u ended with code %d: %s", devnet_el_name(el->kind),
                 el->node->index, el->code, last);
        return ERR_CONFIG;
    }
    return e;
}

static enum err take_block(struct devnet_el *el, struct hash *hash, struct hash *state, char *why,
                           size_t why_len)
{
    struct json_object *block = NULL;
    TRY(wait_for(el, &block, why, why_len));
    bool ok = hex_decode(hash->b, sizeof hash->b, doc_text(block, "hash", "")) &&
              hex_decode(state->b, sizeof state->b, doc_text(block, "stateRoot", ""));
    json_object_put(block);
    if (!ok) {
        snprintf(why, why_len, "--el: %s has no block 0", el->url);
        return ERR_MALFORMED;
    }
    return OK;
}

/* All of them hold the same block 0, or this is no chain. */
static enum err agree(struct devnet *d, char *why, size_t why_len)
{
    struct genesis *g = &d->genesis;
    TRY(take_block(&d->node[0].el, &g->payload, &g->state_root, why, why_len));
    for (uint32_t i = 1; i < d->n; i++) {
        struct hash hash;
        struct hash state;
        TRY(take_block(&d->node[i].el, &hash, &state, why, why_len));
        if (!hash_equal(&hash, &g->payload)) {
            char a[HEX_SIZE(32)];
            char b[HEX_SIZE(32)];
            hex_encode(a, g->payload.b, 32);
            hex_encode(b, hash.b, 32);
            snprintf(why, why_len, "--el: block 0 of node 0's client is %s, that of node %u's %s", a, i,
                     b);
            return ERR_CONFIG;
        }
    }
    g->execution = EXECUTION_PRAGUE;
    return OK;
}

/* ---- new, or as before --------------------------------------------------------------------------- */

static void record_path(const struct devnet *d, char path[DEVNET_PATH + 16])
{
    snprintf(path, DEVNET_PATH + 16, "%s/el.json", d->dir);
}

static enum err keep(const struct devnet *d)
{
    char path[DEVNET_PATH + 16];
    struct json_object *o = json_object_new_object();
    doc_put_text(o, "el", d->options.el);
    doc_put_text(o, "secret", are_urls(d->options.el) ? d->node[0].el.secret : "");
    record_path(d, path);
    enum err e = devnet_record_write(path, json_object_to_json_string(o));
    json_object_put(o);
    return e;
}

static enum err place_all(struct devnet *d, char *why, size_t why_len)
{
    for (uint32_t i = 0; i < d->n; i++) {
        TRY(place(d, i, why, why_len));
    }
    return OK;
}

enum err devnet_el_open(struct devnet *d, char *why, size_t why_len)
{
    char path[DEVNET_PATH + 16];
    if (!devnet_el_wanted(d)) {
        return OK;
    }
    snprintf(path, sizeof path, "%s/el-genesis.json", d->dir);
    TRY(devnet_el_genesis_write(&d->genesis, path));
    TRY(place_all(d, why, why_len));
    TRY(start_all(d, why, why_len));
    TRY(agree(d, why, why_len));
    return keep(d);
}

/* What the folder was made with holds; the command line may repeat it. */
static enum err take_record(struct devnet *d, struct json_object *o, char *why, size_t why_len)
{
    const char *made = doc_text(o, "el", "");
    struct devnet_options *options = &d->options;
    if (options->el != NULL && strcmp(options->el, made) != 0) {
        snprintf(why, why_len, "--el %.80s: %s was made with %.80s; leave the option out or choose "
                               "another --dir", options->el, d->dir, made);
        return ERR_CONFIG;
    }
    if (kind_of(made, 0) == DEVNET_EL_NONE || (are_urls(made) && count_urls(made) != d->n)) {
        snprintf(why, why_len, "%s/el.json is damaged; delete %s", d->dir, d->dir);
        return ERR_CONFIG;
    }
    options->el = made;
    options->el_secret = doc_text(o, "secret", "");
    TRY(place_all(d, why, why_len));
    return start_all(d, why, why_len);
}

enum err devnet_el_resume(struct devnet *d, char *why, size_t why_len)
{
    char path[DEVNET_PATH + 16];
    record_path(d, path);
    struct json_object *o = doc_read(path);
    if (o == NULL && !devnet_el_wanted(d)) {
        return OK;
    }
    if (o == NULL) {
        snprintf(why, why_len, "--el %.80s: the chain of %s runs on the built-in ledger; choose another "
                               "--dir", d->options.el, d->dir);
        return ERR_CONFIG;
    }
    enum err e = take_record(d, o, why, why_len);
    d->options.el = NULL; /* it was borrowed from the record */
    d->options.el_secret = NULL;
    json_object_put(o);
    return e;
}
