#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "proto/limits.h"
#include "sequencer/cli/cli.h"
#include "sequencer/cli/doc.h"
#include "sequencer/cli/endpoint.h"
#include "sequencer/cli/options.h"
#include "sequencer/cli/rpc_client.h"

enum { TIMEOUT_MS = 3000 };

static void print_time(uint64_t ms)
{
    char text[32] = "";
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    if (ms == 0 || gmtime_r(&seconds, &tm) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm) == 0) {
        printf("as this node started   "); /* it had seen no block yet */
        return;
    }
    printf("%s.%03u", text, (unsigned)(ms % 1000));
}

/* A node that saw no block before cannot tell how long there was none. */
static void print_gap(const struct json_object *i, bool seen)
{
    uint64_t ms = doc_u64(i, "gapMs", 0);
    if (ms == 0 && !seen) {
        printf("gap not seen\n");
        return;
    }
    printf("gap %" PRIu64 " ms%s\n", ms, doc_truth(i, "over", true) ? "" : " so far");
}

/* A moment of the record as ms after the last block before it. */
static void print_after(const char *name, const struct json_object *seen, const char *key)
{
    uint64_t start = doc_u64(seen, "lastBlockMs", 0);
    uint64_t at = doc_u64(seen, key, 0);
    if (start != 0 && at >= start) {
        printf("  %s +%" PRIu64 " ms", name, at - start);
    }
}

static void print_incident(const struct json_object *i)
{
    const struct json_object *seen = doc_member(i, "seen");
    const char *own = doc_text(i, "ownReason", "");
    uint64_t last_block_ms = doc_u64(seen, "lastBlockMs", 0);
    print_time(last_block_ms);
    printf("  turn %" PRIu64 ", slot %" PRIu64 ": %s -> %s, %s, ", doc_u64(i, "turn", 0),
           doc_u64(i, "slot", 0), doc_text(doc_member(i, "from"), "name", "?"),
           doc_text(doc_member(i, "to"), "name", "?"), doc_text(i, "reason", "?"));
    print_gap(i, last_block_ms != 0);
    printf("   ");
    print_after("skip signed", seen, "skipSignedMs");
    print_after("certificate", seen, "certificateMs");
    print_after("proposal", seen, "proposalMs");
    print_after("final", seen, "finalMs");
    printf("  signers %s%s%s\n", json_object_to_json_string(doc_member(i, "signers")),
           *own != '\0' ? "  own reason " : "", own);
}

static struct json_object *question(uint64_t from, uint64_t count)
{
    struct json_object *params = json_object_new_array();
    json_object_array_add(params, from == UINT64_MAX ? NULL : json_object_new_uint64(from));
    json_object_array_add(params, json_object_new_uint64(count));
    return params;
}

int cmd_incidents(int argc, char **argv)
{
    const char *rpc = NULL;
    uint64_t from = UINT64_MAX;
    uint64_t count = 20;
    bool json = false;
    const struct option table[] = {
        {"rpc", OPTION_TEXT, &rpc, "URL", 0, 0,
         "a node (the devnet that started last, else http://127.0.0.1:8545)"},
        {"from", OPTION_NUMBER, &from, "N", 0, INT64_MAX, "first incident (the latest ones)"},
        {"count", OPTION_NUMBER, &count, "N", 1, LIMIT_INCIDENTS, "how many (20)"},
        {"json", OPTION_FLAG, &json, "", 0, 0, "as JSON"},
    };
    const struct command_line line = {
        "incidents", "[--rpc URL] [--from N] [--count N] [--json]",
        "Every takeover as that node saw it: reason, moments after the last block, gap, signers.",
        table, sizeof table / sizeof table[0]};
    int code = options_read(&line, argc, argv, NULL);
    if (code >= 0) {
        return code;
    }
    char url[256];
    char why[256] = "";
    struct json_object *list = NULL;
    struct json_object *params = question(from, count);
    endpoint_choose(url, sizeof url, rpc);
    const struct rpc_target target = {url, NULL, TIMEOUT_MS};
    enum err e = rpc_client_call(&list, &target, "baton_incidents", params, why, sizeof why);
    json_object_put(params);
    if (e != OK) {
        return cli_fail(e == ERR_UNREACHABLE ? CLI_UNREACHABLE : CLI_FAILED, "incidents: %s", why);
    }
    if (json) {
        doc_print_pretty(list);
    }
    for (size_t i = 0; !json && i < doc_length(list); i++) {
        print_incident(json_object_array_get_idx(list, i));
    }
    if (!json && doc_length(list) == 0) {
        puts("no takeover");
    }
    json_object_put(list);
    return CLI_DONE;
}
