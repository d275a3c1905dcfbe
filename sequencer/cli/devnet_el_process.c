#define _GNU_SOURCE
/* A client as a child process: its flags, its ends, its new starts. What it forgets by dying its node
 * feeds it again. */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sequencer/cli/devnet.h"

enum {
    WORDS = 64,
    TEXT = 6000,
    JS_PORTS = 100, /* its other listeners, above its Engine API */
    PAUSE_MIN_US = 250000,
    PAUSE_MAX_US = 5000000,
    SETTLED_US = 10000000, /* who lives so long did not die of its data */
    KILL_AFTER_US = 3000000
};

struct words {
    char *word[WORDS + 1];
    size_t n;
    char text[TEXT];
    size_t used;
};

static void add(struct words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct words *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(w->text + w->used, TEXT - w->used, format, args);
    va_end(args);
    if (n >= 0 && (size_t)n < TEXT - w->used && w->n < WORDS) {
        w->word[w->n++] = w->text + w->used;
        w->used += (size_t)n + 1;
    }
}

static void add_all(struct words *w, const char *const *word)
{
    for (; *word != NULL; word++) {
        add(w, "%s", *word);
    }
}

/* Every block's state is kept (archive, hash scheme): a geth that is killed otherwise comes back at
 * block 0. No peers, no listener for them, no other interface; any price that Baton takes. */
static void geth_words(struct words *w, const struct devnet_el *el)
{
    static const char *const fixed[] = {
        "--state.scheme", "hash", "--gcmode", "archive", "--syncmode", "full", "--snapshot=false",
        "--cache", "128", "--nodiscover", "--maxpeers", "0", "--nat", "none", "--ipcdisable",
        "--authrpc.addr", "127.0.0.1", "--rpc.txfeecap", "0", "--miner.gasprice", "1",
        "--txpool.pricelimit", "1", "--txpool.journal", "", "--txpool.accountslots", "1024",
        "--txpool.accountqueue", "1024", "--txpool.globalslots", "16384", "--txpool.globalqueue",
        "16384", "--verbosity", "2", NULL};
    const struct devnet *d = el->node->net;
    add(w, "%s", el->program);
    add_all(w, fixed);
    add(w, "--datadir=%s/data", el->dir);
    add(w, "--config=%s/geth.toml", el->dir);
    add(w, "--override.genesis=%s/el-genesis.json", d->dir);
    add(w, "--networkid=%llu", (unsigned long long)d->genesis.chain_id);
    add(w, "--miner.gaslimit=%llu", (unsigned long long)d->genesis.params.gas_limit);
    add(w, "--authrpc.port=%s", strrchr(el->url, ':') + 1);
    add(w, "--authrpc.jwtsecret=%s", el->secret);
}

/* It has no way not to listen for peers and for WebSockets. */
static void js_words(struct words *w, const struct devnet_el *el)
{
    static const char *const fixed[] = {
        "--isSingleNode", "--logFile=false", "--rpcEngine", "--rpcEngineAddr", "127.0.0.1",
        "--wsEngineAddr", "127.0.0.1", "--discDns=false", "--discV4=false", "--extIP", "127.0.0.1",
        "--logLevel", "warn", NULL};
    unsigned port = (unsigned)strtoul(strrchr(el->url, ':') + 1, NULL, 10);
    add(w, "node");
    add(w, "%s", el->program);
    add_all(w, fixed);
    add(w, "--gethGenesis=%s/el-genesis.json", el->node->net->dir);
    add(w, "--dataDir=%s/data", el->dir);
    add(w, "--jwtSecret=%s", el->secret);
    add(w, "--rpcEnginePort=%u", port);
    add(w, "--wsEnginePort=%u", port + JS_PORTS);
    add(w, "--port=%u", port + 2 * JS_PORTS);
}

/* ---- its ends ------------------------------------------------------------------------------------ */

static void on_closed(uv_handle_t *h)
{
    struct devnet_el *el = h->data;
    el->closing = false;
}

static void plan_restart(struct devnet_el *el)
{
    uint64_t now = uv_hrtime() / 1000;
    bool settled = now - el->started_us > SETTLED_US;
    el->pause_us = settled || el->pause_us == 0 ? PAUSE_MIN_US : 2 * el->pause_us;
    el->pause_us = el->pause_us > PAUSE_MAX_US ? PAUSE_MAX_US : el->pause_us;
    el->again_us = now + el->pause_us;
}

static void on_gone(uv_process_t *process, int64_t status, int signal)
{
    struct devnet_el *el = process->data;
    struct devnet *d = el->node->net;
    el->pid = 0;
    el->code = signal != 0 ? -signal : (int)status;
    el->stopped = false;
    el->closing = true;
    uv_close((uv_handle_t *)process, on_closed);
    if (d->stopping) {
        devnet_end_rest(d);
        return;
    }
    plan_restart(el);
    devnet_control_update(d);
    devnet_on_el(el);
}

void devnet_el_last_words(const struct devnet_el *el, char *out, size_t n)
{
    char path[DEVNET_PATH + 16];
    char line[512] = "";
    snprintf(path, sizeof path, "%s/log", el->dir);
    snprintf(out, n, "see %s", path);
    FILE *f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] != '\0') {
            snprintf(out, n, "%s", line);
        }
    }
    if (f != NULL) {
        fclose(f);
    }
}

/* ---- its starts ---------------------------------------------------------------------------------- */

enum err devnet_el_spawn(struct devnet_el *el, char *why, size_t why_len)
{
    static struct words w;
    char log[DEVNET_PATH + 16];
    w = (struct words){.n = 0};
    /* It dies with this process, however that ends. */
    add(&w, "setpriv");
    add(&w, "--pdeathsig");
    add(&w, "KILL");
    if (el->kind == DEVNET_EL_JS) {
        js_words(&w, el);
    } else {
        geth_words(&w, el);
    }
    snprintf(log, sizeof log, "%s/log", el->dir);
    int output = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = output < 0 ? UV_IGNORE : UV_INHERIT_FD, .data.fd = output},
        {.flags = output < 0 ? UV_IGNORE : UV_INHERIT_FD, .data.fd = output}};
    const uv_process_options_t o = {.exit_cb = on_gone, .file = w.word[0], .args = w.word,
                                    .cwd = el->dir, .flags = UV_PROCESS_DETACHED, .stdio_count = 3,
                                    .stdio = stdio};
    el->process.data = el;
    int result = uv_spawn(&el->node->net->loop, &el->process, &o);
    if (output >= 0) {
        close(output);
    }
    el->started_us = uv_hrtime() / 1000;
    if (result != 0) {
        el->closing = true;
        uv_close((uv_handle_t *)&el->process, on_closed);
        snprintf(why, why_len, "--el: %s does not start: %s", el->program, uv_strerror(result));
        return ERR_CONFIG;
    }
    el->pid = el->process.pid;
    return OK;
}

static void start_again(struct devnet_el *el)
{
    char why[DEVNET_PATH + 128] = "";
    if (el->closing || uv_hrtime() / 1000 < el->again_us) {
        return;
    }
    if (devnet_el_spawn(el, why, sizeof why) != OK) {
        fprintf(stderr, "baton: devnet: %s\n", why);
        plan_restart(el);
        return;
    }
    devnet_control_update(el->node->net);
    devnet_on_el(el);
}

static void look_at(struct devnet_el *el)
{
    char state;
    int parent;
    bool stopped = devnet_record_process(el->pid, &state, &parent) && state == 'T';
    if (stopped != el->stopped) {
        el->stopped = stopped;
        devnet_on_el(el);
    }
}

static void end(struct devnet *d, struct devnet_el *el)
{
    bool late = uv_hrtime() / 1000 - d->el_stopping_us > KILL_AFTER_US;
    if (el->ending && !late) {
        return;
    }
    el->ending = true;
    uv_process_kill(&el->process, d->temporary || late ? SIGKILL : SIGTERM);
    uv_process_kill(&el->process, SIGCONT);
}

void devnet_el_tick(struct devnet *d)
{
    for (uint32_t i = 0; i < d->n; i++) {
        struct devnet_el *el = &d->node[i].el;
        if (el->kind == DEVNET_EL_NONE || el->kind == DEVNET_EL_URL) {
            continue;
        }
        if (el->pid != 0 && d->el_stopping_us != 0) {
            end(d, el);
        } else if (el->pid != 0) {
            look_at(el);
        } else if (!d->stopping) {
            start_again(el);
        }
    }
}

void devnet_el_stop(struct devnet *d)
{
    d->el_stopping_us = d->el_stopping_us != 0 ? d->el_stopping_us : uv_hrtime() / 1000;
    devnet_el_tick(d);
}
