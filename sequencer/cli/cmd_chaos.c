#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sequencer/cli/cli.h"
#include "sequencer/cli/doc.h"
#include "sequencer/cli/drill.h"
#include "sequencer/cli/member_files.h"
#include "sequencer/cli/options.h"
#include "sequencer/cli/rpc_client.h"

enum { TIMEOUT_MS = 3000, HEADS = 5, LEAST_INTERVALS = 4 };

struct chaos_options {
    const char *dir;
    const char *rpc;
    const char *token;
    bool no_wait;
    bool json;
    uint64_t after_ms;
    uint64_t wait_ms;
    uint64_t limit_ms;
};

static const char summary[] =
    "Acts on a running devnet and prints the outage that clients saw: the longest time between "
    "two\n"
    "new final heads at any node, less the block interval.\n"
    "Actions: kill N, stop N, cont N, restart N, partition 0,1/2,3, heal, slow N 400ms, stall N,\n"
    "unstall N, drop N 30%, skew N -5s, status; kill el N, stop el N, cont el N: the execution\n"
    "client of N, which is started again when it ends. N is an index or `leader`; `partition leader` cuts\n"
    "the leader off; slow N 0ms and drop N 0% end it. Peers are cut, never clients.";

static void print_json(const struct chaos_order *order, const struct drill_result *r, bool measured)
{
    struct json_object *o = json_object_new_object();
    char text[32];
    doc_put_text(o, "action", chaos_name(order->action));
    if (order->client) {
        doc_put(o, "client", json_object_new_boolean(true));
    }
    doc_put(o, "node", r->node >= 0 ? json_object_new_int(r->node) : NULL);
    doc_put(o, "leader", json_object_new_boolean(r->was_leader));
    if (measured) {
        snprintf(text, sizeof text, "%.1f", r->gap_ms);
        doc_put(o, "gapMs", json_object_new_double_s(r->gap_ms, text));
        snprintf(text, sizeof text, "%.1f", r->longest_ms);
        doc_put(o, "longestMs", json_object_new_double_s(r->longest_ms, text));
        doc_put_u64(o, "intervalMs", r->interval_ms);
        doc_put_u64(o, "headBefore", r->head_before);
        doc_put_u64(o, "headAfter", r->head_after);
    }
    doc_print_line(o);
    json_object_put(o);
}

static void print_answers(const struct devnet_record *record, const struct drill_result *r,
                          bool json)
{
    if (json) {
        doc_print_line(r->answers);
        return;
    }
    for (uint32_t i = 0; i < record->n; i++) {
        struct json_object *answer = json_object_array_get_idx(r->answers, i);
        printf("%-8s pid %-8d %s\n", record->node[i].name, record->node[i].pid,
               answer != NULL ? json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN)
               : record->node[i].pid == 0 ? "down"
                                          : "does not answer");
    }
}

static int carry_out(const struct chaos_options *o, const struct devnet_record *record,
                     const struct chaos_order *order)
{
    struct drill_result result;
    char why[256] = "";
    bool wait = !o->no_wait && order->action != CHAOS_STATUS;
    uint64_t least = LEAST_INTERVALS * record->block_time_ms;
    const struct drill_options options = {wait, o->after_ms, HEADS,
                                          o->wait_ms > least ? o->wait_ms : least,
                                          o->limit_ms + o->wait_ms};
    enum err e = drill_run(&result, record, order, &options, why, sizeof why);
    int code = CLI_DONE;
    if (e != OK) {
        code = cli_fail(e == ERR_UNREACHABLE ? CLI_UNREACHABLE : CLI_FAILED, "chaos: %s",
                        *why != '\0' ? why : err_text(e));
    } else if (order->action == CHAOS_STATUS) {
        print_answers(record, &result, o->json);
    } else if (o->json) {
        print_json(order, &result, wait);
    } else if (wait) {
        printf("%.0f ms\n", result.gap_ms);
    }
    json_object_put(result.answers);
    return code;
}

static int on_devnet(const struct chaos_options *o, const struct words *words)
{
    static struct devnet_record record;
    char dir[DEVNET_PATH] = "";
    char why[256] = "";
    struct chaos_order order;
    if (o->dir != NULL) {
        snprintf(dir, sizeof dir, "%s", o->dir);
    } else if (devnet_record_default_dir(dir) != OK) {
        return cli_fail(CLI_UNREACHABLE, "chaos: no devnet runs; start one with `baton devnet`, or "
                                         "name its folder with --dir");
    }
    enum err e = devnet_record_read(&record, dir, why, sizeof why);
    if (e == OK) {
        e = chaos_parse(&order, words->word, words->n, record.n, why, sizeof why);
    }
    if (e != OK) {
        return cli_fail(e == ERR_UNREACHABLE ? CLI_UNREACHABLE : CLI_USAGE, "chaos: %s", why);
    }
    return carry_out(o, &record, &order);
}

/* One node's own admin port: the node that the words name is of no account. */
static int on_node(const struct chaos_options *o, const struct words *words)
{
    char token[128] = "";
    char why[256] = "";
    struct chaos_order order;
    struct json_object *answer = NULL;
    if (chaos_parse(&order, words->word, words->n, LIMIT_MEMBERS, why, sizeof why) != OK) {
        return cli_fail(CLI_USAGE, "chaos: %s", why);
    }
    struct json_object *params = chaos_params(&order, LIMIT_MEMBERS, 0);
    if (params == NULL || order.action == CHAOS_PARTITION) {
        json_object_put(params);
        return cli_fail(CLI_USAGE, "chaos: `%s` needs the devnet: --dir instead of --rpc",
                        words->word[0]);
    }
    if (o->token != NULL && member_files_read_line(token, sizeof token, o->token) != OK) {
        json_object_put(params);
        return cli_fail(CLI_USAGE, "chaos: --token %s: cannot be read", o->token);
    }
    const struct rpc_target target = {o->rpc, *token != '\0' ? token : NULL, TIMEOUT_MS};
    enum err e = rpc_client_call(&answer, &target, "admin_chaos", params, why, sizeof why);
    json_object_put(params);
    if (e != OK) {
        return cli_fail(e == ERR_UNREACHABLE ? CLI_UNREACHABLE : CLI_FAILED, "chaos: %s", why);
    }
    doc_print_line(answer);
    json_object_put(answer);
    return CLI_DONE;
}

int cmd_chaos(int argc, char **argv)
{
    struct chaos_options o = {.limit_ms = 60000};
    struct words words = {.n = 0};
    const struct option table[] = {
        {"dir", OPTION_TEXT, &o.dir, "DIR", 0, 0,
         "the devnet's folder (the one that started last)"},
        {"rpc", OPTION_TEXT, &o.rpc, "URL", 0, 0,
         "one node's admin port instead; measures nothing"},
        {"token", OPTION_TEXT, &o.token, "FILE", 0, 0, "with --rpc: its admin.token"},
        {"no-wait", OPTION_FLAG, &o.no_wait, "", 0, 0, "act and return"},
        {"after", OPTION_DURATION, &o.after_ms, "TIME", 0, 60000,
         "act so long after heads were seen: any moment of a turn"},
        {"wait", OPTION_DURATION, &o.wait_ms, "TIME", 0, 3600000,
         "measure at least so long (until heads move again)"},
        {"limit", OPTION_DURATION, &o.limit_ms, "TIME", 1000, 3600000,
         "give up after so long (60s)"},
        {"json", OPTION_FLAG, &o.json, "", 0, 0, "as JSON, with gapMs"},
    };
    const struct command_line line = {"chaos", "ACTION [N] [VALUE] [OPTIONS]", summary, table,
                                      sizeof table / sizeof table[0]};
    int code = options_read(&line, argc, argv, &words);
    if (code >= 0) {
        return code;
    }
    if (words.n == 0) {
        return cli_fail(CLI_USAGE, "chaos: which action? For example `baton chaos kill leader`");
    }
    return o.rpc != NULL ? on_node(&o, &words) : on_devnet(&o, &words);
}
