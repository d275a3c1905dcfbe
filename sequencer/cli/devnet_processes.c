#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sequencer/cli/devnet.h"

enum { KILL_AFTER_US = 8000000 };

static void on_closed(uv_handle_t *h)
{
    struct devnet_node *node = h->data;
    char why[256] = "";
    node->closing = false;
    if (node->restart && !node->net->stopping) {
        node->restart = false;
        if (devnet_spawn(node, why, sizeof why) != OK) {
            fprintf(stderr, "baton: devnet: %s\n", why);
        }
    }
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal)
{
    struct devnet_node *node = process->data;
    node->code = signal != 0 ? -signal : (int)status;
    node->state = DEVNET_DOWN;
    devnet_on_node(node, "down");
    node->pid = 0;
    node->ready = false;
    devnet_control_update(node->net);
    node->closing = true;
    uv_close((uv_handle_t *)process, on_closed);
    devnet_end_rest(node->net);
}

/* What a node prints before its log is open goes to a file beside it. */
static int open_output(const struct devnet_node *node)
{
    char path[DEVNET_PATH + 16];
    snprintf(path, sizeof path, "%s/stderr", node->dir);
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

enum err devnet_spawn(struct devnet_node *node, char *why, size_t why_len)
{
    char exe[DEVNET_PATH];
    char config[DEVNET_PATH + 16];
    size_t exe_len = sizeof exe;
    int output = open_output(node);
    if (uv_exepath(exe, &exe_len) != 0 || output < 0) {
        snprintf(why, why_len, "%s cannot be written", node->dir);
        return ERR_IO;
    }
    snprintf(config, sizeof config, "%s/node.yaml", node->dir);
    static char name[] = "baton";
    static char command[] = "node";
    static char flag[] = "--config";
    char *args[] = {name, command, flag, config, NULL};
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = output},
        {.flags = UV_INHERIT_FD, .data.fd = output},
    };
    /* A session of its own: a terminal's Ctrl-C goes to the devnet alone, which stops the nodes. */
    const uv_process_options_t options = {.exit_cb = on_exit_of,
                                          .file = exe,
                                          .args = args,
                                          .flags = UV_PROCESS_DETACHED,
                                          .stdio_count = 3,
                                          .stdio = stdio};
    node->process.data = node;
    int result = uv_spawn(&node->net->loop, &node->process, &options);
    close(output);
    if (result != 0) {
        snprintf(why, why_len, "node %u does not start: %s", node->index, uv_strerror(result));
        node->closing = true;
        uv_close((uv_handle_t *)&node->process, on_closed);
        return ERR_IO;
    }
    node->pid = node->process.pid;
    node->state = DEVNET_RUNNING;
    node->started_us = uv_hrtime() / 1000;
    devnet_control_update(node->net);
    devnet_on_node(node, "running");
    return OK;
}

void devnet_signal(struct devnet_node *node, int signal)
{
    if (node->state != DEVNET_DOWN) {
        uv_process_kill(&node->process, signal);
    }
}

static void end_cleanly(struct devnet_node *node)
{
    devnet_signal(node, SIGTERM);
    devnet_signal(node, SIGCONT);
}

void devnet_restart(struct devnet_node *node)
{
    char why[256] = "";
    if (node->state != DEVNET_DOWN) {
        node->restart = true;
        end_cleanly(node);
    } else if (node->closing) {
        node->restart = true;
    } else if (devnet_spawn(node, why, sizeof why) != OK) {
        fprintf(stderr, "baton: devnet: %s\n", why);
    }
}

uint32_t devnet_running(const struct devnet *d)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->n; i++) {
        n += d->node[i].state != DEVNET_DOWN ? 1 : 0;
    }
    return n;
}

void devnet_end_rest(struct devnet *d)
{
    if (!d->stopping || devnet_running(d) > 0) {
        return;
    }
    devnet_el_stop(d);
    for (uint32_t i = 0; i < d->n; i++) {
        if (d->node[i].el.pid != 0) {
            return;
        }
    }
    devnet_anvil_stop(d);
    devnet_control_close(d);
}

void devnet_stop(struct devnet *d, int exit_code)
{
    if (d->stopping) {
        return;
    }
    d->stopping = true;
    d->stopping_us = uv_hrtime() / 1000;
    d->exit_code = exit_code;
    for (uint32_t i = 0; i < d->n; i++) {
        end_cleanly(&d->node[i]);
    }
    devnet_end_rest(d);
}

static void look_at(struct devnet_node *node)
{
    char state;
    int parent;
    bool stopped = devnet_record_process(node->pid, &state, &parent) && state == 'T';
    if (stopped && node->state == DEVNET_RUNNING) {
        node->state = DEVNET_STOPPED;
        devnet_on_node(node, "stopped");
    } else if (!stopped && node->state == DEVNET_STOPPED) {
        node->state = DEVNET_RUNNING;
        devnet_on_node(node, "running");
    }
}

void devnet_processes_tick(struct devnet *d)
{
    bool late = d->stopping && uv_hrtime() / 1000 - d->stopping_us > KILL_AFTER_US;
    for (uint32_t i = 0; i < d->n; i++) {
        if (d->node[i].state == DEVNET_DOWN) {
            continue;
        }
        look_at(&d->node[i]);
        if (late) {
            devnet_signal(&d->node[i], SIGKILL);
        }
    }
}
