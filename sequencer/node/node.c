/* Assembly: every part built in order, run, stopped in reverse. */
#define _GNU_SOURCE
#include "sequencer/node/node.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sequencer/node/genesis_file.h"
#include "sequencer/node/keyfile.h"
#include "sequencer/node/parts.h"

enum { WHY = 512, STOP_US = 5000000, TOKEN_BYTES = 32 };

int node_exit_code(enum err e)
{
    switch ((int)e) {
    case OK:
        return 0;
    case ERR_USAGE:
    case ERR_CONFIG:
    case ERR_NOT_FOUND:
    case ERR_NOT_MEMBER:
        return 2;
    case ERR_REFUSED:
    case ERR_IN_USE:
    case ERR_WRONG_CHAIN:
    case ERR_WRONG_VERSION:
    case ERR_CORRUPT:
        return 3;
    default:
        return 1;
    }
}

/* ---- identity -------------------------------------------------------------------------------- */

/* A key in memory must reach neither a core dump nor a debugger of the same user. */
static void harden(void)
{
    const struct rlimit none = {0, 0};
    if (prctl(PR_SET_DUMPABLE, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0) {
        log_write(LOG_WARN, "node", "core dumps could not be switched off", NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is a write that fails, and handled as one */
}

static enum err read_identity(struct node *n, char *why)
{
    TRY(genesis_file_read(&n->genesis, n->config->genesis, why, WHY));
    TRY(genesis_epoch_config(&n->epoch, &n->genesis, why, WHY));
    if (why[0] != '\0') {
        log_write(LOG_WARN, "node", why, NULL);
    }
    genesis_anchor(&n->anchor, &n->genesis, &n->epoch);
    n->anchor_hash = header_hash(&n->anchor);
    n->key = key_alloc();
    if (n->key == NULL) {
        snprintf(why, WHY, "no locked memory for the key; raise `ulimit -l`");
        return ERR_NO_MEMORY;
    }
    TRY(keyfile_read(n->key, &n->address, n->config->key, n->config->password, why, WHY));
    n->self = members_find(&n->epoch, &n->address);
    if (n->self < 0) {
        char text[HEX_SIZE(20)];
        hex_encode(text, n->address.b, sizeof n->address.b);
        snprintf(why, WHY, "the key %s is no member of %s; give the key of a member", text,
                 n->config->genesis);
        return ERR_NOT_MEMBER;
    }
    bool url = config_el_is_url(n->config);
    if (url != (n->genesis.execution != EXECUTION_LEDGER)) {
        snprintf(why, WHY, "el: the genesis says that %s",
                 url ? "the built-in ledger executes the blocks of this chain; remove the key"
                     : "execution clients execute the blocks of this chain; give the URL of one");
        return ERR_CONFIG;
    }
    struct address tips;
    if (n->config->fee_recipient[0] != '\0' &&
        (!hex_decode(tips.b, sizeof tips.b, n->config->fee_recipient) ||
         !address_equal(&tips, &n->address))) {
        snprintf(why, WHY,
                 "fee-recipient: tips are paid to the member's own address; remove the key");
        return ERR_CONFIG;
    }
    return RAND_bytes(n->instance, sizeof n->instance) == 1 ? OK : ERR_CRYPTO;
}

/* The bearer token of admin_*: read, or made at the first start. */
static enum err read_token(struct node *n, char *why)
{
    uint8_t raw[TOKEN_BYTES];
    char text[HEX_SIZE(TOKEN_BYTES)];
    const char *path = n->config->admin_token;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        bool made = fd >= 0 && RAND_bytes(raw, sizeof raw) == 1;
        if (made) {
            hex_encode(text, raw, sizeof raw);
            made = write(fd, text + 2, 2 * TOKEN_BYTES) == 2 * TOKEN_BYTES;
            n->admin_token = strdup(text + 2);
        }
        if (fd >= 0) {
            close(fd);
        }
        if (!made) {
            snprintf(why, WHY,
                     "%s can be neither read nor made; give another place with --admin-token",
                     path);
        }
        return made ? OK : ERR_CONFIG;
    }
    char given[256];
    ssize_t got = read(fd, given, sizeof given - 1);
    close(fd);
    given[got > 0 ? got : 0] = '\0';
    given[strcspn(given, "\r\n")] = '\0';
    n->admin_token = strdup(given);
    return n->admin_token == NULL ? ERR_NO_MEMORY : OK;
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void storage_woke(uv_async_t *async)
{
    store_drain(async->data);
}

static void wake_loop(void *arg)
{
    struct node *n = arg;
    uv_async_send(&n->storage_wake);
}

static enum err open_loop(struct node *n)
{
    if (uv_loop_init(&n->loop) != 0) {
        return ERR_IO;
    }
    uv_loop_configure(&n->loop, UV_METRICS_IDLE_TIME);
    n->storage_wake.data = n;
    return uv_async_init(&n->loop, &n->storage_wake, storage_woke) == 0 ? OK : ERR_IO;
}

static enum err open_storage(struct node *n, char *why)
{
    const struct storage_options o = {
        .dir = n->config->dir,
        .safety_dir = n->config->safety_dir[0] == '\0' ? NULL : n->config->safety_dir,
        .genesis = n->epoch.genesis,
        .member = n->address,
        .vow_never_signed = n->config->vow_never_signed,
        .wake = wake_loop,
        .wake_arg = n,
    };
    TRY(storage_open(&n->storage, &o, &n->verdict, why, WHY));
    if (n->verdict == STORAGE_AMNESIAC) {
        log_write(LOG_WARN, "storage", "amnesiac: this member observes until the rule lets it sign",
                  LOG_STR("why", why), NULL);
    }
    return OK;
}

static void pool_account(void *ctx, const struct address *a, uint64_t *nonce, struct u256 *balance)
{
    struct node *n = ctx;
    struct ledger_account acc;
    if (n->ledger == NULL) {
        accounts_get(n, a, nonce, balance);
        return;
    }
    ledger_service_account(n->ledger, a, &acc);
    *nonce = acc.nonce;
    *balance = acc.balance;
}

static void pool_base_fee(void *ctx, struct u256 *out)
{
    struct node *n = ctx;
    if (n->ledger == NULL) {
        link_base_fee(n, out);
        return;
    }
    ledger_service_base_fee(n->ledger, out);
}

static enum err open_ledger(struct node *n, char *why)
{
    TRY(ledger_start(n, why, WHY));
    TRY(ledger_service_start(&n->ledger, &n->loop, n->ledger_object, ledger_persist, n));
    n->ledger_object = NULL;
    ledger_service_execution(n->ledger, &n->execution);
    return OK;
}

static enum err open_execution(struct node *n, char *why)
{
    bool ledger = n->genesis.execution == EXECUTION_LEDGER;
    TRY(ledger ? open_ledger(n, why) : link_open(n, why, WHY));
    const struct mempool_options o = {
        .chain_id = n->epoch.chain_id,
        .gas_limit = n->epoch.params.gas_limit,
        .transfers_only = ledger,
        .chain = {.ctx = n, .account = pool_account, .base_fee = pool_base_fee},
    };
    TRY(mempool_create(&n->mempool, &o));
    intake_open(n);
    return pool_restore(n);
}

static uint64_t journal_sequence(void *ctx)
{
    const struct node *n = ctx;
    return n->driver.steps.persisted;
}

static enum err open_peers(struct node *n, char *why)
{
    struct p2p_options o = {
        .loop = &n->loop,
        .epoch = &n->epoch,
        .self = n->self,
        .key = n->key,
        .listen = n->config->p2p[0] == '\0' ? n->epoch.member[n->self].endpoint : n->config->p2p,
        .journal_sequence = journal_sequence,
        .handlers = net_handlers(n),
    };
    memcpy(o.instance, n->instance, sizeof o.instance);
    return p2p_open(&n->p2p, &o, why, WHY);
}

static enum err open_rpc(struct node *n, char *why)
{
    const struct config *c = n->config;
    const struct rpc_options o = {
        .loop = &n->loop,
        .listen = c->rpc,
        .admin_listen = c->admin,
        .token = n->admin_token,
        .cors = c->cors[0] == '\0' ? NULL : c->cors,
        .hosts = c->hosts[0] == '\0' ? NULL : c->hosts,
        .version = "v" NODE_VERSION,
        .backend = n->ledger == NULL ? &chain_client_backend : &chain_backend,
        .ctx = n,
    };
    return rpc_open(&n->rpc, &o, why, WHY);
}

/* A port in use is a matter of the configuration, not of safety. */
static enum err port_error(enum err e)
{
    return e == ERR_IN_USE ? ERR_CONFIG : e;
}

static enum err open_parts(struct node *n, char *why)
{
    TRY(open_loop(n));
    TRY(read_token(n, why));
    TRY(open_storage(n, why));
    n->metrics = metrics_create();
    n->incidents = incidents_create();
    if (n->metrics == NULL || n->incidents == NULL) {
        return ERR_NO_MEMORY;
    }
    book_open(n);
    TRY(incident_restore(n));
    TRY(driver_open(n));
    TRY(open_execution(n, why));
    TRY(restart_core(n, why, WHY));
    TRY(posting_open(n, why, WHY));
    health_first_look(n);
    TRY(port_error(open_peers(n, why)));
    TRY(port_error(open_rpc(n, why)));
    TRY(time_open(n));
    health_open(n);
    return OK;
}

/* ---- stop ------------------------------------------------------------------------------------ */

static void part_closed(void *arg)
{
    struct node *n = arg;
    n->closing--;
}

static void signalled(uv_signal_t *signal, int number)
{
    struct node *n = signal->data;
    if (n->stopping) {
        n->stop_at_us = 0; /* asked twice: at once */
        return;
    }
    uint64_t turns_us = 2ULL * n->epoch.params.turn_slots * n->epoch.params.max_interval_ms * 1000;
    log_write(LOG_INFO, "node", "stopping: handing over first", LOG_I64("signal", number), NULL);
    n->stopping = true;
    n->stop_at_us = driver_now() + (turns_us < STOP_US ? turns_us : STOP_US);
    n->health.draining_until_us = UINT64_MAX;
    n->health.hand_over = false;
}

void node_end(struct node *n, enum err e, const char *why)
{
    if (n->end == OK) {
        n->end = e;
        snprintf(n->end_why, sizeof n->end_why, "%s", why);
        uv_stop(&n->loop);
    }
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static void close_parts(struct node *n)
{
    n->driver.closed = true;
    if (n->health.timer.data != NULL) {
        health_close(n);
    }
    time_close(n);
    posting_stop(n);
    struct rpc *rpc = n->rpc;
    struct p2p *p2p = n->p2p;
    n->rpc = NULL; /* what is still answered or written has nobody to go to */
    n->p2p = NULL;
    if (rpc != NULL) {
        n->closing++;
        rpc_close(rpc, part_closed, n);
    }
    if (p2p != NULL) {
        n->closing++;
        p2p_close(p2p, part_closed, n);
    }
    if (n->ledger != NULL) {
        n->closing++;
        ledger_service_close(n->ledger, part_closed, n);
    }
    if (n->link.engine != NULL) {
        n->closing++;
        engine_close(n->link.engine, part_closed, n);
        n->link.engine = NULL;
    }
    while (n->closing > 0 && uv_run(&n->loop, UV_RUN_ONCE) != 0) {
    }
    if (n->storage != NULL) {
        storage_close(n->storage);
        n->storage = NULL;
    }
    if (n->loop.data == n) {
        uv_walk(&n->loop, close_handle, NULL);
        while (uv_run(&n->loop, UV_RUN_DEFAULT) != 0) {
        }
        uv_loop_close(&n->loop);
    }
}

static void free_parts(struct node *n)
{
    link_free(n);
    intake_close(n);
    build_close(n);
    finality_close(n);
    posting_close(n);
    blocks_close(n);
    driver_close(n);
    mempool_destroy(n->mempool);
    ledger_destroy(n->ledger_object);
    incidents_destroy(n->incidents);
    metrics_destroy(n->metrics);
    free(n->admin_token);
    key_free(n->key);
    genesis_free(&n->genesis);
}

/* ---- run ------------------------------------------------------------------------------------- */

static enum err run(struct node *n)
{
    uv_signal_t interrupt, terminate;
    interrupt.data = terminate.data = n;
    if (uv_signal_init(&n->loop, &interrupt) != 0 || uv_signal_init(&n->loop, &terminate) != 0 ||
        uv_signal_start(&interrupt, signalled, SIGINT) != 0 ||
        uv_signal_start(&terminate, signalled, SIGTERM) != 0) {
        return ERR_IO;
    }
    struct core_view v;
    core_start(n->driver.core, driver_now(), n->driver.effects);
    core_get_view(n->driver.core, &v);
    book_entered(n, v.turn);
    log_write(LOG_INFO, "node", "serving",
              LOG_STR("member",
                      n->config->name[0] != '\0' ? n->config->name : n->epoch.member[n->self].name),
              LOG_U64("rpcPort", rpc_port(n->rpc)), LOG_U64("height", n->finality.latest_number),
              LOG_U64("slot", n->finality.slot), NULL);
    driver_tick(n, 0);
    uv_run(&n->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&interrupt, NULL);
    uv_close((uv_handle_t *)&terminate, NULL);
    uv_run(&n->loop, UV_RUN_NOWAIT);
    return n->end;
}

int node_run(const struct config *config)
{
    char why[WHY] = "";
    struct node *n = calloc(1, sizeof *n);
    int level = log_level_parse(config->log_level);
    if (n == NULL || log_open(config->log[0] == '\0' ? NULL : config->log,
                              level < 0 ? LOG_INFO : (enum log_level)level) != 0) {
        fprintf(stderr, "baton: the log %s cannot be written; give another place with --log\n",
                config->log);
        free(n);
        return 2;
    }
    n->config = config;
    n->self = -1;
    n->syncing.asked = -1;
    n->driver.timer_fd = -1;
    n->health.shown_leader = -2;
    n->health.shown_not_ready = UINT32_MAX;
    n->started_us = driver_now();
    harden();
    enum err e = key_library_init();
    e = e == OK ? read_identity(n, why) : e;
    bool loop = e == OK;
    why[0] = e == OK ? '\0' : why[0];
    e = e == OK ? open_parts(n, why) : e;
    n->loop.data = loop ? n : NULL;
    e = e == OK ? run(n) : e;
    if (n->end != OK) {
        snprintf(why, sizeof why, "%s", n->end_why);
    }
    if (e != OK) {
        const char *text = why[0] != '\0' ? why : err_text(e);
        fprintf(stderr, "baton: %s\n", text);
        log_write(LOG_ERROR, "node", text, LOG_STR("error", err_name(e)), NULL);
    }
    close_parts(n);
    free_parts(n);
    log_write(LOG_INFO, "node", "stopped", LOG_I64("code", node_exit_code(e)), NULL);
    log_close();
    free(n);
    return node_exit_code(e);
}
