#define _GNU_SOURCE
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "sequencer/cli/address_text.h"
#include "sequencer/cli/devnet.h"

enum { SCREEN = 8192, COLUMNS_MIN = 40, COLUMNS_MAX = 200, DROP_PERCENT = 30 };

static bool colours(void)
{
    const char *no = getenv("NO_COLOR");
    return (no == NULL || *no == '\0') && isatty(STDOUT_FILENO);
}

static unsigned columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < COLUMNS_MIN) {
        return 80;
    }
    return size.ws_col < COLUMNS_MAX ? size.ws_col : COLUMNS_MAX;
}

static void print_nodes(const struct devnet *d)
{
    for (uint32_t i = 0; i < d->n; i++) {
        const struct devnet_node *node = &d->node[i];
        printf("  %-6s  %s  %s  %s/%s\n", node->member->name, node->rpc, node->ws,
               node->member->domain.provider, node->member->domain.region);
    }
}

static void print_accounts(const struct devnet *d)
{
    for (uint32_t i = 0; i < DEVNET_ACCOUNTS; i++) {
        char address[HEX_SIZE(20)];
        char key[HEX_SIZE(32)];
        address_text(address, &d->account[i].address);
        hex_encode(key, d->account[i].key.b, 32);
        printf("  %s  %s\n", address, key);
    }
}

void devnet_view_ready(struct devnet *d)
{
    const struct epoch_params *p = &d->genesis.params;
    printf("\nBaton devnet: %u nodes, %s, a block every %u ms, %u slots a turn; first block after "
           "%llu ms\n\n",
           d->n, p->fault_model == FAULT_BFT ? "bft" : "crash", p->block_time_ms, p->turn_slots,
           (unsigned long long)((uv_hrtime() / 1000 - d->started_us) / 1000));
    printf("Chain id  %llu (0x%llx)\nFolder    %s%s\n\nNodes\n",
           (unsigned long long)d->genesis.chain_id, (unsigned long long)d->genesis.chain_id, d->dir,
           d->temporary ? " (removed at the end)" : "");
    print_nodes(d);
    printf("\nAccounts, 10,000 ETH each (the public test mnemonic: never use them elsewhere)\n");
    print_accounts(d);
    printf("\nWallet: add a network with RPC URL %s, chain id %llu, symbol ETH;\n"
           "        import one of the keys above.\n"
           "Send:   cast send --rpc-url %s --private-key KEY ADDRESS --value 1ether\n"
           "Kill the leader and watch: `baton chaos kill leader` in another terminal, or the keys "
           "l k.\n\n",
           d->node[0].rpc, (unsigned long long)d->genesis.chain_id, d->node[0].rpc);
    fflush(stdout);
    d->drawn = 0;
    devnet_view_draw(d);
}

void devnet_view_event(struct devnet *d, const char *format, ...)
{
    char *line = d->event[d->events_n++ % DEVNET_EVENTS];
    time_t now = time(NULL);
    struct tm tm;
    localtime_r(&now, &tm);
    size_t n = strftime(line, sizeof d->event[0], "%H:%M:%S ", &tm);
    va_list args;
    va_start(args, format);
    vsnprintf(line + n, sizeof d->event[0] - n, format, args);
    va_end(args);
}

/* The view is drawn over its last picture; no line is longer than the screen is wide. */
struct picture {
    char text[SCREEN];
    size_t n;
    unsigned columns;
    uint32_t lines;
    bool colours;
};

static void add(struct picture *p, const char *text)
{
    size_t n = strlen(text);
    if (p->n + n < sizeof p->text) {
        memcpy(p->text + p->n, text, n + 1);
        p->n += n;
    }
}

static void add_line(struct picture *p, const char *colour, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add_line(struct picture *p, const char *colour, const char *format, ...)
{
    char line[COLUMNS_MAX + 1];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    line[p->columns - 1] = '\0';
    bool coloured = p->colours && colour != NULL;
    add(p, coloured ? colour : "");
    add(p, line);
    add(p, coloured ? "\x1b[0m" : "");
    add(p, "\x1b[K\r\n");
    p->lines++;
}

static const char *word_of(const struct devnet_node *node)
{
    if (node->state == DEVNET_DOWN) {
        return "down";
    }
    return node->state == DEVNET_STOPPED ? "stopped" : node->ready ? "ready" : "not ready";
}

static const char *colour_of(const struct devnet *d, const struct devnet_node *node)
{
    if (node->state == DEVNET_DOWN) {
        return "\x1b[31m";
    }
    if ((int)node->index == d->leader) {
        return "\x1b[1;32m";
    }
    return node->state == DEVNET_STOPPED || !node->ready ? "\x1b[33m" : NULL;
}

/* Who leads is what the last head says; statuses are asked for less often. */
static const char *role_of(const struct devnet *d, const struct devnet_node *node)
{
    if ((int)node->index == d->leader) {
        return "leader";
    }
    return strcmp(node->role, "leader") == 0 ? "standby" : node->role;
}

static void draw_node(struct picture *p, const struct devnet *d, const struct devnet_node *node)
{
    uint64_t lag = d->gap.head > node->head ? d->gap.head - node->head : 0;
    bool has_el = node->el.kind != DEVNET_EL_NONE;
    add_line(p, colour_of(d, node), "%c %-7s %-9s %-9s head %-9llu lag %-6llu pid %-8d %s%s%s%s%s",
             node->index == d->selected ? '>' : ' ', node->member->name, role_of(d, node),
             word_of(node), (unsigned long long)node->head, (unsigned long long)lag, node->pid,
             has_el ? devnet_el_name(node->el.kind) : "",
             has_el ? " " : "", has_el ? devnet_el_state(&node->el) : "",
             node->cut ? " cut off" : "", node->lossy ? " lossy" : "");
}

static void draw_events(struct picture *p, const struct devnet *d)
{
    uint64_t first = d->events_n > DEVNET_EVENTS ? d->events_n - DEVNET_EVENTS : 0;
    for (uint64_t i = first; i < first + DEVNET_EVENTS; i++) {
        add_line(p, NULL, "%s", i < d->events_n ? d->event[i % DEVNET_EVENTS] : "");
    }
}

/* The safe head that most has, and how far it is behind; the stage where there is one. */
static void draw_batches(struct picture *p, const struct devnet *d)
{
    const struct devnet_node *best = &d->node[0];
    char stage[32] = "";
    for (uint32_t i = 1; i < d->n; i++) {
        best = d->node[i].safe > best->safe ? &d->node[i] : best;
    }
    uint64_t lag = d->gap.head > best->safe ? d->gap.head - best->safe : 0;
    if (best->batch_stage > 0) {
        snprintf(stage, sizeof stage, ", back-pressure %u", (unsigned)best->batch_stage);
    }
    char where[96] = "in files";
    if (best->l1_head > 0) {
        double spent = 0;
        for (uint32_t i = 0; i < d->n; i++) {
            spent += d->node[i].spent_eth;
        }
        snprintf(where, sizeof where, "on the L1, block %llu, %.6f ETH spent",
                 (unsigned long long)best->l1_head, spent);
    }
    add_line(p, best->batch_stage > 0 ? "\x1b[33m" : NULL,
             "safe %llu, lag %llu blocks, %llu ms; batches %s%s",
             (unsigned long long)best->safe, (unsigned long long)lag,
             (unsigned long long)best->batch_lag_ms, where, stage);
}

void devnet_view_draw(struct devnet *d)
{
    static struct picture p;
    if (d->json || !d->ready || !isatty(STDOUT_FILENO)) {
        return;
    }
    p = (struct picture){.columns = columns(), .colours = colours()};
    char up[32] = "\r";
    if (d->drawn > 0) {
        snprintf(up, sizeof up, "\r\x1b[%uA", d->drawn);
    }
    add(&p, up);
    uint64_t age_ms = (uv_hrtime() / 1000 - d->gap.last_us) / 1000;
    add_line(&p, age_ms > 2000 ? "\x1b[31m" : "\x1b[1m", "head %llu, %llu ms ago",
             (unsigned long long)d->gap.head, (unsigned long long)age_ms);
    draw_batches(&p, d);
    for (uint32_t i = 0; i < d->n; i++) {
        draw_node(&p, d, &d->node[i]);
    }
    draw_events(&p, d);
    add_line(&p, "\x1b[2m", "%s",
             d->keys
                 ? "0-9 up down l(eader): select  k kill  s stop/go on  p cut off/heal  r restart  "
                   "d drop 30%  q quit"
                 : "Ctrl-C ends the devnet");
    add(&p, "\x1b[J");
    fwrite(p.text, 1, p.n, stdout);
    fflush(stdout);
    d->drawn = p.lines;
}

/* Cut off from all others, or back again: every node hears it, so that both ends are cut. */
static void toggle_cut(struct devnet *d, struct devnet_node *node)
{
    struct chaos_order order = {.action = node->cut ? CHAOS_HEAL : CHAOS_PARTITION};
    order.group[node->index] = 1;
    node->cut = !node->cut;
    for (uint32_t i = 0; i < d->n; i++) {
        devnet_control_chaos(d, &order, i);
    }
    devnet_view_event(d, "%s is %s", node->member->name, node->cut ? "cut off" : "back");
}

static void toggle_loss(struct devnet *d, struct devnet_node *node)
{
    node->lossy = !node->lossy;
    const struct chaos_order order = {.action = CHAOS_DROP,
                                      .value = node->lossy ? DROP_PERCENT : 0};
    devnet_control_chaos(d, &order, node->index);
}

static void act(struct devnet *d, char key)
{
    struct devnet_node *node = &d->node[d->selected];
    if (key == 'k') {
        devnet_signal(node, SIGKILL);
    } else if (key == 's') {
        devnet_signal(node, node->state == DEVNET_STOPPED ? SIGCONT : SIGSTOP);
    } else if (key == 'p') {
        toggle_cut(d, node);
    } else if (key == 'd') {
        toggle_loss(d, node);
    } else if (key == 'r') {
        devnet_restart(node);
    } else if (key == 'l' && d->leader >= 0) {
        d->selected = (uint32_t)d->leader;
    } else if (key >= '0' && key <= '9' && (uint32_t)(key - '0') < d->n) {
        d->selected = (uint32_t)(key - '0');
    } else if (key == 'q' || key == 3) {
        devnet_stop(d, 0);
    }
}

static void on_keys(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct devnet *d = stream->data;
    for (ssize_t i = 0; i < n; i++) {
        const char *p = buf->base + i;
        if (i + 2 < n && p[0] == 27 && p[1] == '[') {
            uint32_t step = p[2] == 'B' ? 1 : p[2] == 'A' ? d->n - 1 : 0;
            d->selected = (d->selected + step) % d->n;
            i += 2;
        } else {
            act(d, *p);
        }
    }
    devnet_view_draw(d);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    static char space[64];
    (void)h;
    (void)suggested;
    *buf = uv_buf_init(space, sizeof space);
}

void devnet_view_open(struct devnet *d)
{
    if (d->json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
        uv_tty_init(&d->loop, &d->keyboard, STDIN_FILENO, 1) != 0) {
        return;
    }
    d->keys = true;
    d->keyboard.data = d;
    uv_tty_set_mode(&d->keyboard, UV_TTY_MODE_RAW);
    uv_read_start((uv_stream_t *)&d->keyboard, on_alloc, on_keys);
}

void devnet_view_close(struct devnet *d)
{
    if (d->keys) {
        d->keys = false;
        uv_tty_reset_mode();
        uv_close((uv_handle_t *)&d->keyboard, NULL);
    }
}
