#define _GNU_SOURCE
#include "sequencer/cli/devnet.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sequencer/cli/cli.h"
#include "sequencer/cli/options.h"

enum { TICK_MS = 250, READY_US = 30000000, READY_EL_US = 120000000 };

extern char **environ;

static const char summary[] =
    "Starts real `baton node` processes on this machine with keys and a genesis of their own, ten\n"
    "funded accounts, and shows what happens. A named --dir is kept: started again, it goes on\n"
    "with the same keys, ports and chain. Ctrl-C, SIGTERM or q stop all nodes cleanly.";

void devnet_on_ready(struct devnet *d)
{
    if (d->options.for_ms != 0) {
        uv_timer_start(&d->end, d->end.timer_cb, d->options.for_ms, 0);
    }
    if (d->json) {
        devnet_json_ready(d);
    } else {
        devnet_view_ready(d);
    }
}

void devnet_on_block(struct devnet *d, const struct head *h, double gap_ms)
{
    if (d->json) {
        devnet_json_block(d, h, gap_ms);
    } else {
        devnet_view_draw(d);
    }
}

void devnet_on_leader(struct devnet *d, const struct head *h)
{
    if (d->json) {
        devnet_json_leader(d, h);
    }
}

void devnet_on_takeover(struct devnet *d, const struct devnet_takeover *t)
{
    if (!d->ready) {
        return;
    }
    if (d->json) {
        devnet_json_takeover(d, t);
    } else {
        devnet_view_event(d, "takeover of turn %llu: node %d -> node %d (%s), outage %.0f ms",
                          (unsigned long long)t->turn, t->from, t->to, t->reason, t->gap_ms);
    }
}

/* A node that ends before the set is ready ends the devnet: its own words say why. */
static void fail_at_start(const struct devnet_node *node)
{
    char path[DEVNET_PATH + 16];
    char line[512] = "";
    char last[512] = "";
    snprintf(path, sizeof path, "%s/stderr", node->dir);
    FILE *f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        memcpy(last, line, sizeof last);
    }
    if (f != NULL) {
        fclose(f);
    }
    last[strcspn(last, "\n")] = '\0';
    fprintf(stderr, "baton: devnet: node %u ended with code %d: %s\n", node->index, node->code,
            last[0] != '\0' ? last : node->log);
}

void devnet_on_node(struct devnet_node *node, const char *state)
{
    struct devnet *d = node->net;
    if (!d->ready) {
        if (node->state == DEVNET_DOWN && !d->stopping) {
            fail_at_start(node);
            devnet_stop(d, node->code == CLI_USAGE || node->code == CLI_REFUSED ? node->code
                                                                                : CLI_FAILED);
        }
        return;
    }
    if (d->json) {
        devnet_json_node(node, state);
    } else {
        devnet_view_event(d, "%s is %s", node->member->name, state);
    }
}

/* Nodes wait for it: that is what they are made for. */
void devnet_on_l1(struct devnet *d, const char *state)
{
    if (!d->ready) {
        if (d->l1.pid == 0) {
            fprintf(stderr, "baton: devnet: anvil ended with code %d: see %s/anvil.log\n",
                    d->l1.code, d->dir);
        }
    } else if (d->json) {
        devnet_json_l1(d, state);
    } else {
        devnet_view_event(d, "the L1 (anvil) is %s", state);
    }
}

/* So with these: their node goes on without, and stands by. */
void devnet_on_el(const struct devnet_el *el)
{
    struct devnet *d = el->node->net;
    char last[256];
    if (d->ready && d->json) {
        devnet_json_el(el);
    } else if (d->ready) {
        devnet_view_event(d, "%s of %s is %s", devnet_el_name(el->kind), el->node->member->name,
                          devnet_el_state(el));
    } else if (el->pid == 0 && d->started_us != 0) {
        devnet_el_last_words(el, last, sizeof last);
        fprintf(stderr, "baton: devnet: %s of node %u ended with code %d: %s\n",
                devnet_el_name(el->kind), el->node->index, el->code, last);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct devnet *d = timer->data;
    devnet_processes_tick(d);
    devnet_el_tick(d);
    if (d->stopping) {
        return;
    }
    devnet_anvil_tick(d);
    devnet_watch_tick(d);
    devnet_view_draw(d);
    bool clients = d->node[0].el.kind != DEVNET_EL_NONE;
    uint64_t limit_us = clients ? READY_EL_US : READY_US;
    if (!d->ready && uv_hrtime() / 1000 - d->started_us > limit_us) {
        fprintf(stderr, "baton: devnet: the nodes do not make blocks; see the logs in %s\n",
                d->dir);
        d->temporary = false;
        devnet_stop(d, CLI_FAILED);
    }
}

static void on_end(uv_timer_t *timer)
{
    devnet_stop(timer->data, CLI_DONE);
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    devnet_stop(signal->data, CLI_DONE);
}

static void on_resize(uv_signal_t *signal, int number)
{
    struct devnet *d = signal->data;
    (void)number;
    if (d->drawn > 0) {
        fputs("\x1b[2J\x1b[H", stdout);
        d->drawn = 0;
    }
    devnet_view_draw(d);
}

static void open_handles(struct devnet *d)
{
    uv_signal_t *signals[] = {&d->interrupt, &d->terminate, &d->resize};
    uv_timer_t *timers[] = {&d->tick, &d->end};
    for (size_t i = 0; i < 3; i++) {
        uv_signal_init(&d->loop, signals[i]);
        signals[i]->data = d;
    }
    for (size_t i = 0; i < 2; i++) {
        uv_timer_init(&d->loop, timers[i]);
        timers[i]->data = d;
    }
    uv_signal_start(&d->interrupt, on_signal, SIGINT);
    uv_signal_start(&d->terminate, on_signal, SIGTERM);
    uv_signal_start(&d->resize, on_resize, SIGWINCH);
    uv_timer_start(&d->tick, on_tick, TICK_MS, TICK_MS);
    d->end.timer_cb = on_end;
}

/* Settings of the caller's shell must not reach the nodes; the parent's pid must (cmd_node.c). */
static void prepare_environment(void)
{
    char pid[16];
    for (size_t i = 0; environ[i] != NULL;) {
        char name[64];
        size_t n = strcspn(environ[i], "=");
        if (strncmp(environ[i], "BATON_", 6) != 0 || n >= sizeof name) {
            i++;
            continue;
        }
        memcpy(name, environ[i], n);
        name[n] = '\0';
        unsetenv(name);
    }
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("BATON_PARENT", pid, 1);
}

bool devnet_port_is_free(unsigned port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return true;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool is_free = bind(fd, (const struct sockaddr *)(const void *)&at, sizeof at) == 0;
    close(fd);
    return is_free;
}

static enum err check_ports(const struct devnet *d, char *why, size_t why_len)
{
    static const unsigned offsets[] = {0, DEVNET_ADMIN_PORT, DEVNET_P2P_PORT};
    for (uint32_t i = 0; i < d->n; i++) {
        for (size_t k = 0; k < 3; k++) {
            unsigned port = d->base_port + offsets[k] + i;
            if (!devnet_port_is_free(port)) {
                snprintf(why, why_len, "port %u of node %u is in use; choose another --base-port",
                         port, i);
                return ERR_CONFIG;
            }
        }
    }
    return OK;
}

static enum err start(struct devnet *d, char *why, size_t why_len)
{
    TRY(devnet_files_open(d, why, why_len));
    TRY(check_ports(d, why, why_len));
    prepare_environment();
    open_handles(d);
    TRY(devnet_control_open(d, why, why_len));
    TRY(devnet_watch_open(d));
    d->started_us = uv_hrtime() / 1000;
    for (uint32_t i = 0; i < d->n; i++) {
        TRY(devnet_spawn(&d->node[i], why, why_len));
    }
    devnet_view_open(d);
    return OK;
}

static int run(struct devnet *d)
{
    char why[512] = "";
    enum err e = start(d, why, sizeof why);
    if (e != OK) {
        cli_fail(CLI_FAILED, "devnet: %s", why[0] != '\0' ? why : err_text(e));
        devnet_stop(d, cli_exit_of(e));
    }
    uv_run(&d->loop, UV_RUN_DEFAULT);
    uv_loop_close(&d->loop);
    devnet_files_close(d);
    return d->exit_code;
}

static int check(const struct devnet *d)
{
    const struct devnet_options *o = &d->options;
    const char *why = devnet_el_check(d);
    uint64_t base = o->base_port != 0 ? o->base_port : 8545;
    uint64_t nodes = o->nodes != 0 ? o->nodes : 4;
    int code = why != NULL ? cli_fail(CLI_USAGE, "devnet: %s", why) : -1;
    bool l1 = o->l1 != NULL && strcmp(o->l1, "none") != 0;
    if (code < 0 && o->da != NULL && l1 == (strcmp(o->da, "file") == 0)) {
        code = cli_fail(CLI_USAGE, "devnet: --da %s: %s", o->da,
                        l1 ? "with an L1 it is calldata or blob"
                           : "give --l1 anvil or --l1 URL beside it");
    }
    if (code < 0 && base + DEVNET_P2P_PORT + nodes > UINT16_MAX) {
        code = cli_fail(CLI_USAGE,
                        "devnet: --base-port %llu: peers listen %d above it; expected "
                        "at most %d",
                        (unsigned long long)base, DEVNET_P2P_PORT,
                        UINT16_MAX - DEVNET_P2P_PORT - (int)nodes);
    }
    return code;
}

int cmd_devnet(int argc, char **argv)
{
    static struct devnet d;
    struct devnet_options *o = &d.options;
    const struct option table[] = {
        {"nodes", OPTION_NUMBER, &o->nodes, "N", 1, LIMIT_MEMBERS, "how many nodes (4)"},
        {"dir", OPTION_TEXT, &o->dir, "DIR", 0, 0,
         "keep everything here and resume it (a temporary one)"},
        {"base-port", OPTION_NUMBER, &o->base_port, "PORT", 1024, 43000,
         "first RPC port (8545); admin +1000, peers +22000; above 10700 other programs' outgoing "
         "connections may hold one"},
        {"fault", OPTION_CHOICE, &o->fault, "bft|crash", 0, 0,
         "bft from four nodes on, crash below"},
        {"block-time", OPTION_DURATION, &o->block_ms, "TIME", 50, 10000,
         "(200ms; with --el 1s, the least that clients' timestamps allow)"},
        {"turn", OPTION_NUMBER, &o->turn, "K", 1, LIMIT_TURN_SLOTS, "slots of a leader's turn (8)"},
        {"pace", OPTION_CHOICE, &o->pace, "fixed|demand", 0, 0,
         "a block every block time, or when there is something to order"},
        {"chain-id", OPTION_NUMBER, &o->chain_id, "ID", 1, INT64_MAX, "(41197)"},
        {"el", OPTION_TEXT, &o->el, "KIND", 0, 0,
         "execution: ledger, or a client a node: geth, op-geth, ethereumjs, mixed, URL,URL,…"},
        {"el-secret", OPTION_TEXT, &o->el_secret, "FILE", 0, 0,
         "with URLs: the JWT secret of their Engine APIs"},
        {"l1", OPTION_TEXT, &o->l1, "KIND", 0, 0, "L1: none, anvil or a JSON-RPC URL"},
        {"da", OPTION_CHOICE, &o->da, "file|calldata|blob", 0, 0,
         "where batches go: file without an L1, calldata or blob with one"},
        {"seal-interval", OPTION_DURATION, &o->seal_ms, "TIME", LIMIT_SEAL_MIN_MS,
         LIMIT_SEAL_MAX_MS, "a segment is closed at the latest then (10s)"},
        {"seed", OPTION_NUMBER, &o->seed, "N", 1, INT64_MAX, "same keys each time (1)"},
        {"json", OPTION_FLAG, &o->json, "", 0, 0,
         "events as JSON lines; automatic without a terminal"},
        {"for", OPTION_DURATION, &o->for_ms, "TIME", 100, 86400000,
         "stop by itself so long after it is ready"},
    };
    const struct command_line line = {"devnet", "[OPTIONS]", summary, table,
                                      sizeof table / sizeof table[0]};
    int code = options_read(&line, argc, argv, NULL);
    code = code < 0 ? check(&d) : code;
    if (code >= 0) {
        return code;
    }
    d.json = o->json || !isatty(STDOUT_FILENO);
    d.lock = -1;
    uv_loop_init(&d.loop);
    return run(&d);
}
