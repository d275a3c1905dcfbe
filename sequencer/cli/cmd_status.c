#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/limits.h"
#include "sequencer/cli/cli.h"
#include "sequencer/cli/devnet_record.h"
#include "sequencer/cli/doc.h"
#include "sequencer/cli/endpoint.h"
#include "sequencer/cli/options.h"
#include "sequencer/cli/rpc_client.h"

enum { TIMEOUT_MS = 3000 };

static void print_head(const struct json_object *s, const char *name)
{
    struct json_object *h = doc_member(s, name);
    if (json_object_is_type(h, json_type_object)) {
        printf("%-10s %" PRIu64 "  %s", name, doc_u64(h, "number", 0), doc_text(h, "hash", ""));
        if (doc_member(h, "ageMs") != NULL) {
            printf("  %" PRIu64 " ms ago", doc_u64(h, "ageMs", 0));
        }
        putchar('\n');
    }
}

static void print_batches(const struct json_object *s)
{
    struct json_object *b = doc_member(s, "batches");
    if (json_object_is_type(b, json_type_object)) {
        printf("batches    %" PRIu64 " segments (%s), lag %" PRIu64 " blocks, %" PRIu64
               " ms, back-pressure %" PRIu64 "\n",
               doc_u64(b, "segments", 0), doc_text(b, "layer", "?"), doc_u64(b, "lagBlocks", 0),
               doc_u64(b, "lagMs", 0), doc_u64(b, "stage", 0));
        if (*doc_text(b, "error", "") != '\0') {
            printf("  %s\n", doc_text(b, "error", ""));
        }
    }
}

static void print_members(const struct json_object *s)
{
    struct json_object *members = doc_member(s, "members");
    uint64_t leader = doc_u64(doc_member(s, "leader"), "index", UINT64_MAX);
    printf("\n    %-12s %-7s %-22s %-11s %-9s %8s %10s %6s\n", "member", "weight", "domain",
           "reachable", "ready", "rtt", "head", "lag");
    for (size_t i = 0; i < doc_length(members); i++) {
        struct json_object *m = json_object_array_get_idx(members, i);
        struct json_object *domain = doc_member(m, "domain");
        char place[80];
        snprintf(place, sizeof place, "%.30s/%.30s", doc_text(domain, "provider", ""),
                 doc_text(domain, "region", ""));
        struct json_object *rtt = doc_member(m, "rttMs");
        printf("  %c %-12s %-7" PRIu64 " %-22s %-11s %-9s %6.1fms %10" PRIu64 " %6" PRIu64 "%s\n",
               doc_u64(m, "index", i) == leader ? '*' : ' ', doc_text(m, "name", "?"),
               doc_u64(m, "weight", 0), place, doc_truth(m, "reachable", false) ? "yes" : "NO",
               doc_truth(m, "ready", false) ? "yes" : "no",
               rtt != NULL ? json_object_get_double(rtt) : 0.0, doc_u64(m, "head", 0),
               doc_u64(m, "lag", 0), doc_truth(m, "benched", false) ? "  benched" : "");
    }
}

static bool same_domain(const struct json_object *a, const struct json_object *b)
{
    struct json_object *x = doc_member(a, "domain");
    struct json_object *y = doc_member(b, "domain");
    return strcmp(doc_text(x, "provider", ""), doc_text(y, "provider", "")) == 0 &&
           strcmp(doc_text(x, "region", ""), doc_text(y, "region", "")) == 0;
}

/* Members without a label are domains of their own. */
static bool alone(const struct json_object *m)
{
    struct json_object *d = doc_member(m, "domain");
    return *doc_text(d, "provider", "") == '\0' && *doc_text(d, "region", "") == '\0';
}

static bool seen_before(struct json_object *members, size_t i)
{
    const struct json_object *m = json_object_array_get_idx(members, i);
    for (size_t k = 0; k < i; k++) {
        if (!alone(m) && same_domain(json_object_array_get_idx(members, k), m)) {
            return true;
        }
    }
    return false;
}

/* Reachable weight that would be left without the domain of member `i`. */
static uint64_t left_without(struct json_object *members, size_t i)
{
    const struct json_object *lost = json_object_array_get_idx(members, i);
    uint64_t left = 0;
    for (size_t k = 0; k < doc_length(members); k++) {
        const struct json_object *m = json_object_array_get_idx(members, k);
        bool goes = k == i || (!alone(lost) && same_domain(m, lost));
        left += !goes && doc_truth(m, "reachable", false) ? doc_u64(m, "weight", 0) : 0;
    }
    return left;
}

static void print_losses(const struct json_object *s)
{
    struct json_object *members = doc_member(s, "members");
    struct json_object *quorum = doc_member(s, "quorum");
    uint64_t needed = doc_u64(quorum, "needed", 0);
    puts("\nIf a failure domain were lost:");
    for (size_t i = 0; i < doc_length(members); i++) {
        const struct json_object *m = json_object_array_get_idx(members, i);
        const struct json_object *domain = doc_member(m, "domain");
        if (seen_before(members, i)) {
            continue;
        }
        uint64_t left = left_without(members, i);
        char place[80];
        snprintf(place, sizeof place, "%.30s/%.30s", doc_text(domain, "provider", ""),
                 doc_text(domain, "region", ""));
        printf("  %-24s weight %" PRIu64 " of %" PRIu64 " needed would be left: %s\n",
               alone(m) ? doc_text(m, "name", "?") : place, left, needed,
               left >= needed ? "goes on" : "STOPS until it is back");
    }
}

static void print_reasons(const struct json_object *self)
{
    struct json_object *reasons = doc_member(self, "reasons");
    for (size_t i = 0; i < doc_length(reasons); i++) {
        const char *text = json_object_get_string(json_object_array_get_idx(reasons, i));
        printf("%s%s", i == 0 ? " (" : ", ", text != NULL ? text : "?");
    }
    puts(doc_length(reasons) > 0 ? ")" : "");
    struct json_object *details = doc_member(self, "details");
    for (size_t i = 0; i < doc_length(details); i++) {
        const char *text = json_object_get_string(json_object_array_get_idx(details, i));
        printf("  %s\n", text != NULL ? text : "?");
    }
}

static void print_status(const struct json_object *s)
{
    struct json_object *leader = doc_member(s, "leader");
    struct json_object *self = doc_member(s, "self");
    struct json_object *quorum = doc_member(s, "quorum");
    struct json_object *stall = doc_member(s, "stall");
    printf("chain %" PRIu64 ", epoch %" PRIu64 ", slot %" PRIu64 ", turn %" PRIu64 ", leader %s, "
           "takeovers %" PRIu64 ", %s\n",
           doc_u64(s, "chainId", 0), doc_u64(s, "epoch", 0), doc_u64(s, "slot", 0),
           doc_u64(s, "turn", 0), doc_text(leader, "name", "?"), doc_u64(s, "takeovers", 0),
           doc_text(s, "version", ""));
    printf("quorum: weight %" PRIu64 " of %" PRIu64 " reachable, %" PRIu64 " needed; head %s %s\n",
           doc_u64(quorum, "reachable", 0), doc_u64(quorum, "weight", 0),
           doc_u64(quorum, "needed", 0), doc_text(stall, "state", "?"),
           doc_text(stall, "reason", ""));
    print_head(s, "unsafe");
    print_head(s, "safe");
    print_head(s, "finalized");
    print_batches(s);
    printf("this node: %s, %s", doc_text(self, "role", "?"),
           doc_truth(self, "ready", false) ? "ready" : "not ready");
    print_reasons(self);
    print_members(s);
    print_losses(s);
}

static int show(const char *url, bool json)
{
    struct json_object *status = NULL;
    char why[256] = "";
    const struct rpc_target target = {url, NULL, TIMEOUT_MS};
    enum err e = rpc_client_call(&status, &target, "baton_status", NULL, why, sizeof why);
    if (e != OK) {
        return cli_fail(e == ERR_UNREACHABLE ? CLI_UNREACHABLE : CLI_FAILED, "status: %s", why);
    }
    if (json) {
        doc_print_line(status);
    } else {
        print_status(status);
        fflush(stdout);
    }
    json_object_put(status);
    return CLI_DONE;
}

static _Noreturn void watch(const char *url, bool json)
{
    for (;;) {
        if (!json && isatty(STDOUT_FILENO)) {
            fputs("\x1b[H\x1b[2J", stdout);
        }
        (void)show(url, json);
        sleep(1);
    }
}

int cmd_status(int argc, char **argv)
{
    const char *rpc = NULL;
    bool follow = false;
    bool json = false;
    const struct option table[] = {
        {"rpc", OPTION_TEXT, &rpc, "URL", 0, 0,
         "a node (the devnet that started last, else http://127.0.0.1:8545)"},
        {"watch", OPTION_FLAG, &follow, "", 0, 0, "again every second"},
        {"json", OPTION_FLAG, &json, "", 0, 0, "the document of baton_status"},
    };
    const struct command_line line = {"status", "[--rpc URL] [--watch] [--json]",
                                      "The set at a glance: who leads, heads, every member's "
                                      "health and readiness, and what would\n"
                                      "be left if a failure domain were lost.",
                                      table, sizeof table / sizeof table[0]};
    int code = options_read(&line, argc, argv, NULL);
    if (code >= 0) {
        return code;
    }
    char url[DEVNET_URL * 4];
    endpoint_choose(url, sizeof url, rpc);
    if (follow) {
        watch(url, json);
    }
    return show(url, json);
}
