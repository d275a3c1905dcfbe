#define _GNU_SOURCE
/* anvil as the L1 of a devnet: started, watched, started again with what it had written last. What it
 * lost by dying is a reorg of some blocks to the nodes. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sequencer/cli/devnet.h"

enum {
    L1_PORT = 3000, /* above the base port */
    KILL_MS = 5000, /* it writes its state when it is asked to end */
    PAUSE_MIN_US = 250000,
    PAUSE_MAX_US = 8000000,
    SETTLED_US = 10000000 /* who lives so long did not die of its state */
};

/* ---- its ends -------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *h)
{
    struct devnet *d = h->data;
    d->l1.closing = false;
}

static void plan_restart(struct devnet *d)
{
    struct devnet_l1 *l = &d->l1;
    uint64_t now = uv_hrtime() / 1000;
    bool settled = now - l->started_us > SETTLED_US;
    l->pause_us = settled || l->pause_us == 0 ? PAUSE_MIN_US : 2 * l->pause_us;
    l->pause_us = l->pause_us > PAUSE_MAX_US ? PAUSE_MAX_US : l->pause_us;
    l->again_us = now + l->pause_us;
}

static void on_gone(uv_process_t *process, int64_t status, int signal)
{
    struct devnet *d = process->data;
    d->l1.pid = 0;
    d->l1.code = signal != 0 ? -signal : (int)status;
    d->l1.closing = true;
    uv_close((uv_handle_t *)process, on_closed);
    if (d->l1.ending) {
        uv_close((uv_handle_t *)&d->l1.kill, NULL);
    }
    if (!d->stopping) {
        plan_restart(d);
        devnet_on_l1(d, "down");
    }
}

static void on_kill(uv_timer_t *timer)
{
    struct devnet *d = timer->data;
    uv_process_kill(&d->l1.process, SIGKILL);
}

/* ---- its starts ------------------------------------------------------------------------------ */

static enum err spawn_at(struct devnet *d, char *path, char *why, size_t why_len)
{
    char port[16];
    char chain[16];
    char state[DEVNET_PATH + 16];
    char words[DEVNET_PATH + 16];
    /* setpriv: it dies with this process, however that ends. */
    static char fixed[][24] = {"setpriv", "--pdeathsig", "KILL", "--port", "--chain-id",
                               "--hardfork", "osaka", "--block-time", "1", "--slots-in-an-epoch",
                               "2", "--quiet", "--state", "--state-interval", "2"};
    snprintf(port, sizeof port, "%u", (unsigned)d->base_port + L1_PORT);
    snprintf(chain, sizeof chain, "%d", (int)DEVNET_L1_CHAIN);
    snprintf(state, sizeof state, "%s/anvil.json", d->dir);
    snprintf(words, sizeof words, "%s/anvil.log", d->dir);
    char *args[] = {fixed[0], fixed[1], fixed[2], path, fixed[3], port, fixed[4], chain, fixed[5],
                    fixed[6], fixed[7], fixed[8], fixed[9], fixed[10], fixed[11], fixed[12], state,
                    fixed[13], fixed[14], NULL};
    int output = open(words, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = output < 0 ? UV_IGNORE : UV_INHERIT_FD, .data.fd = output},
        {.flags = output < 0 ? UV_IGNORE : UV_INHERIT_FD, .data.fd = output}};
    const uv_process_options_t o = {.exit_cb = on_gone, .file = fixed[0], .args = args,
                                    .flags = UV_PROCESS_DETACHED, .stdio_count = 3,
                                    .stdio = stdio};
    d->l1.process.data = d;
    int result = uv_spawn(&d->loop, &d->l1.process, &o);
    if (output >= 0) {
        close(output);
    }
    if (result != 0) {
        d->l1.closing = true;
        uv_close((uv_handle_t *)&d->l1.process, on_closed);
        snprintf(why, why_len, "--l1 anvil: %s does not start: %s", path, uv_strerror(result));
        return ERR_CONFIG;
    }
    d->l1.pid = d->l1.process.pid;
    d->l1.started_us = uv_hrtime() / 1000;
    return OK;
}

enum err devnet_anvil_start(struct devnet *d, char *why, size_t why_len)
{
    char path[DEVNET_PATH];
    static const char installed[] =
        "../tests/interop/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil";
    if (!devnet_find_program(path, "ANVIL", installed, "anvil")) {
        snprintf(why, why_len,
                 "--l1 anvil: no program `anvil` is in PATH; install Foundry, or run `npm ci` in "
                 "tests/interop, or name it with ANVIL=PATH");
        return ERR_CONFIG;
    }
    snprintf(d->l1.rpc, sizeof d->l1.rpc, "http://127.0.0.1:%u", (unsigned)d->base_port + L1_PORT);
    return spawn_at(d, path, why, why_len);
}

void devnet_anvil_tick(struct devnet *d)
{
    struct devnet_l1 *l = &d->l1;
    char why[256] = "";
    if (!l->anvil || l->pid != 0 || l->closing || uv_hrtime() / 1000 < l->again_us) {
        return;
    }
    if (devnet_anvil_start(d, why, sizeof why) == OK) {
        devnet_on_l1(d, "running");
    } else {
        fprintf(stderr, "baton: devnet: %s\n", why);
        plan_restart(d);
    }
}

/* A folder that is kept keeps its L1, too. */
void devnet_anvil_stop(struct devnet *d)
{
    struct devnet_l1 *l = &d->l1;
    if (l->pid == 0 || l->ending) {
        return;
    }
    uv_process_kill(&l->process, d->temporary ? SIGKILL : SIGTERM);
    l->ending = true;
    l->kill.data = d;
    uv_timer_init(&d->loop, &l->kill);
    uv_timer_start(&l->kill, on_kill, KILL_MS, 0);
}
