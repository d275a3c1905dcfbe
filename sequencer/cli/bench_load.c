#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "sequencer/cli/bench.h"
#include "sequencer/cli/cli.h"
#include "sequencer/cli/devnet_record.h"
#include "sequencer/cli/doc.h"
#include "sequencer/cli/options.h"

enum { TICK_MS = 2, FUND_LIMIT_MS = 60000, URL_TEXT = 2048 };

static uint64_t now_us(void)
{
    return uv_hrtime() / 1000;
}

static void enter(struct bench *b, enum bench_phase phase)
{
    b->phase = phase;
    b->phase_us = now_us();
}

static uint64_t cpu_us(void)
{
    uv_rusage_t u = {0};
    (void)uv_getrusage(&u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void begin_load(struct bench *b)
{
    uv_timeval64_t t = {0};
    (void)uv_gettimeofday(&t);
    b->load_wall_ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_usec / 1000;
    b->cpu_us = cpu_us();
    enter(b, BENCH_LOAD);
}

static void finish(struct bench *b)
{
    b->cpu_us = b->phase == BENCH_DRAIN ? cpu_us() - b->cpu_us : 0;
    enter(b, BENCH_OVER);
    uv_timer_stop(&b->timer);
    uv_close((uv_handle_t *)&b->timer, NULL);
    head_watch_destroy(b->watch);
    http_client_destroy(b->http);
    bench_batch_close(b);
    b->http = NULL;
}

/* Free funders grant on, each to accounts of its own. */
static void fund(struct bench *b)
{
    struct bench_account *f;
    while ((f = bench_idle_pop(b)) != NULL) {
        if (f->to_fund < b->o.accounts) {
            const struct address *to = &b->account[f->to_fund].address;
            f->to_fund += BENCH_FUNDERS;
            struct bench_tx *tx = bench_sign(f, f->nonce, to, &b->grant);
            if (tx != NULL) {
                bench_send(f, tx, false);
                continue;
            }
        }
    }
    bool all = true;
    for (size_t i = 0; i < BENCH_FUNDERS; i++) {
        all = all && b->funder[i].to_fund >= b->o.accounts && b->funder[i].tx == NULL;
    }
    if (all && b->open == 0 && b->unconfirmed == 0) {
        for (size_t i = 0; i < b->o.accounts; i++) {
            bench_idle_push(b, &b->account[i]);
        }
        enter(b, BENCH_SIGN);
    } else if (now_us() - b->phase_us > (uint64_t)FUND_LIMIT_MS * 1000) {
        cli_fail(CLI_FAILED, "bench: the accounts were not funded within %d s; a node said: %s",
                 FUND_LIMIT_MS / 1000, b->sentence[0].n > 0 ? b->sentence[0].text : "nothing");
        finish(b);
    }
}

static void load(struct bench *b)
{
    uint64_t elapsed = now_us() - b->phase_us;
    uint64_t due = b->o.rate * elapsed / 1000000;
    struct bench_account *a;
    while (b->sent < due && (a = bench_idle_pop(b)) != NULL) {
        struct bench_tx *tx = bench_next_transfer(a);
        if (tx == NULL) {
            bench_idle_push(b, a);
            break;
        }
        bench_send(a, tx, true);
    }
    if (elapsed >= b->o.for_ms * 1000) {
        b->load_us = elapsed;
        enter(b, BENCH_DRAIN);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct bench *b = timer->data;
    bench_retry_due(b);
    bench_read_next(b);
    if (b->phase == BENCH_FUND) {
        fund(b);
    } else if (b->phase == BENCH_SIGN) {
        if (!bench_sign_some(b)) {
            begin_load(b);
        }
    } else if (b->phase == BENCH_LOAD) {
        load(b);
    } else if (b->phase == BENCH_DRAIN) {
        bool done = b->open == 0 && b->unconfirmed == 0;
        if (done || now_us() - b->phase_us > b->o.drain_ms * 1000) {
            finish(b);
        }
    }
    if (b->phase != BENCH_OVER) {
        bench_batch_due(b);
    }
}

static enum err start(struct bench *b, char *why, size_t why_len)
{
    TRY(bench_accounts_open(b, why, why_len));
    const struct head_handlers handlers = {.arg = b, .head = bench_on_head};
    uv_loop_init(&b->loop);
    b->http = http_client_create(&b->loop);
    b->watch = head_watch_create(&b->loop, b->o.url, b->o.urls, &handlers);
    if (b->http == NULL || b->watch == NULL) {
        return ERR_NO_MEMORY;
    }
    uv_timer_init(&b->loop, &b->timer);
    b->timer.data = b;
    uv_timer_start(&b->timer, on_tick, TICK_MS, TICK_MS);
    for (size_t i = 0; i < BENCH_FUNDERS; i++) {
        bench_idle_push(b, &b->funder[i]);
    }
    enter(b, BENCH_FUND);
    return OK;
}

static int run(struct bench *b)
{
    char why[256] = "";
    enum err e = start(b, why, sizeof why);
    if (e != OK) {
        bench_accounts_close(b);
        return cli_fail(e == ERR_UNREACHABLE ? CLI_UNREACHABLE : CLI_FAILED, "bench: %s",
                        *why != '\0' ? why : err_text(e));
    }
    uv_run(&b->loop, UV_RUN_DEFAULT);
    uv_loop_close(&b->loop);
    int code = b->load_us > 0 ? bench_report(b) : CLI_FAILED;
    bench_accounts_close(b);
    return code;
}

/* "URL,URL": cut in place. */
static bool split_urls(struct bench_options *o, char *text)
{
    char *rest = NULL;
    for (char *url = strtok_r(text, ",", &rest); url != NULL; url = strtok_r(NULL, ",", &rest)) {
        if (o->urls == LIMIT_MEMBERS) {
            return false;
        }
        o->url[o->urls++] = url;
    }
    return o->urls > 0;
}

static void urls_of_devnet(char text[URL_TEXT])
{
    static struct devnet_record record;
    char dir[DEVNET_PATH];
    char why[256];
    size_t n = 0;
    snprintf(text, URL_TEXT, "http://127.0.0.1:8545");
    if (devnet_record_default_dir(dir) != OK ||
        devnet_record_read(&record, dir, why, sizeof why) != OK) {
        return;
    }
    for (uint32_t i = 0; i < record.n && n + DEVNET_URL < URL_TEXT; i++) {
        n +=
            (size_t)snprintf(text + n, URL_TEXT - n, "%s%s", i == 0 ? "" : ",", record.node[i].rpc);
    }
}

int cmd_bench_load(int argc, char **argv)
{
    static struct bench b;
    static char text[URL_TEXT];
    struct bench_options *o = &b.o;
    const char *rpc = NULL;
    *o = (struct bench_options){
        .rate = 100, .for_ms = 10000, .accounts = 100, .drain_ms = 30000, .batch = 1};
    const struct option table[] = {
        {"rpc", OPTION_TEXT, &rpc, "URL,URL", 0, 0, "nodes (all of the devnet that started last)"},
        {"rate", OPTION_NUMBER, &o->rate, "N", 1, 100000, "transfers a second (100)"},
        {"for", OPTION_DURATION, &o->for_ms, "TIME", 100, 86400000, "how long (10s)"},
        {"accounts", OPTION_NUMBER, &o->accounts, "M", 1, 50000,
         "senders (100); each has one transfer unacknowledged at a time"},
        {"batch", OPTION_NUMBER, &o->batch, "N", 1, LIMIT_RPC_BATCH,
         "transfers in one HTTP request (1), gathered for at most 20 ms"},
        {"seed", OPTION_NUMBER, &o->seed, "N", 1, INT64_MAX, "same accounts each time (others)"},
        {"drain", OPTION_DURATION, &o->drain_ms, "TIME", 0, 3600000,
         "wait so long for the last confirmations (30s)"},
        {"json", OPTION_FLAG, &o->json, "", 0, 0, "as JSON"},
    };
    const struct command_line line = {
        "bench load", "[OPTIONS]",
        "Signs and sends transfers at a rate, follows the chain, and checks at the end that every\n"
        "accepted transfer was confirmed exactly once, in the same block on every node (exit 1\n"
        "otherwise). Senders are funded first from the ten accounts of the test mnemonic.",
        table, sizeof table / sizeof table[0]};
    int code = options_read(&line, argc, argv, NULL);
    if (code >= 0) {
        return code;
    }
    if (o->rate * (o->for_ms / 1000 + 1) > LIMIT_BENCH_TXS) {
        return cli_fail(CLI_USAGE, "bench: --rate times --for is above %d transfers",
                        LIMIT_BENCH_TXS);
    }
    if (rpc != NULL) {
        snprintf(text, sizeof text, "%s", rpc);
    } else {
        urls_of_devnet(text);
    }
    if (!split_urls(o, text)) {
        return cli_fail(CLI_USAGE, "bench: --rpc: expected 1 to %d addresses, separated by commas",
                        LIMIT_MEMBERS);
    }
    return run(&b);
}
