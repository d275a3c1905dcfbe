#define _GNU_SOURCE
#include "sequencer/cli/chaos.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sequencer/cli/options.h"
#include "sequencer/cli/suggest.h"

enum form {
    FORM_NODE = 1,
    FORM_NODE_MS,
    FORM_NODE_PERCENT,
    FORM_GROUPS,
    FORM_ALONE,
    FORM_NODE_SKEW
};

static const struct {
    const char *name;
    enum chaos_action action;
    enum form form;
    const char *example;
} actions[] = {
    {"kill", CHAOS_KILL, FORM_NODE, "kill leader"},
    {"stop", CHAOS_STOP, FORM_NODE, "stop 2"},
    {"cont", CHAOS_CONT, FORM_NODE, "cont 2"},
    {"restart", CHAOS_RESTART, FORM_NODE, "restart 2"},
    {"partition", CHAOS_PARTITION, FORM_GROUPS, "partition 0,1/2,3"},
    {"heal", CHAOS_HEAL, FORM_ALONE, "heal"},
    {"slow", CHAOS_SLOW, FORM_NODE_MS, "slow 2 400ms"},
    {"stall", CHAOS_STALL, FORM_NODE, "stall leader"},
    {"unstall", CHAOS_UNSTALL, FORM_NODE, "unstall 2"},
    {"drop", CHAOS_DROP, FORM_NODE_PERCENT, "drop 2 30%"},
    {"skew", CHAOS_SKEW, FORM_NODE_SKEW, "skew 2 5s"},
    {"status", CHAOS_STATUS, FORM_ALONE, "status"},
};
enum { ACTIONS = sizeof actions / sizeof actions[0] };

const char *chaos_name(enum chaos_action action)
{
    for (size_t i = 0; i < ACTIONS; i++) {
        if (actions[i].action == action) {
            return actions[i].name;
        }
    }
    return "?";
}

static enum err unknown(const char *word, char *why, size_t why_len)
{
    const char *names[ACTIONS];
    for (size_t i = 0; i < ACTIONS; i++) {
        names[i] = actions[i].name;
    }
    const char *near = suggest(word, names, ACTIONS);
    snprintf(why, why_len, "there is no action `%.32s`; did you mean `%s`?", word,
             near != NULL ? near : "kill leader");
    return ERR_USAGE;
}

static bool parse_node(int *out, const char *word, uint32_t nodes)
{
    uint64_t value = 0;
    if (strcmp(word, "leader") == 0) {
        *out = CHAOS_LEADER;
        return true;
    }
    if (!number_parse(&value, word) || value >= nodes) {
        return false;
    }
    *out = (int)value;
    return true;
}

static bool parse_percent(int64_t *out, const char *word)
{
    char digits[8];
    uint64_t value = 0;
    size_t n = strlen(word);
    if (n == 0 || n >= sizeof digits) {
        return false;
    }
    memcpy(digits, word, n + 1);
    if (digits[n - 1] == '%') {
        digits[n - 1] = '\0';
    }
    *out = 0;
    if (!number_parse(&value, digits) || value > 100) {
        return false;
    }
    *out = (int64_t)value;
    return true;
}

static bool parse_ms(int64_t *out, const char *word, bool negative)
{
    uint64_t value = 0;
    bool minus = negative && *word == '-';
    if (!duration_parse(&value, minus ? word + 1 : word) || value > 3600000) {
        return false;
    }
    *out = minus ? -(int64_t)value : (int64_t)value;
    return true;
}

/* "0,1/2,3": groups in order; whoever is named in none makes a group with the other unnamed. */
static bool parse_groups(uint32_t group[LIMIT_MEMBERS], const char *word, uint32_t nodes)
{
    uint32_t now = 1;
    memset(group, 0, LIMIT_MEMBERS * sizeof group[0]);
    for (const char *p = word; *p != '\0'; p++) {
        char *end = NULL;
        unsigned long i = strtoul(p, &end, 10);
        if (end == p || i >= nodes || group[i] != 0) {
            return false;
        }
        group[i] = now;
        p = end;
        if (*p == '\0') {
            break;
        }
        if (*p != ',' && *p != '/') {
            return false;
        }
        now += *p == '/' ? 1 : 0;
    }
    return *word != '\0';
}

/* "kill el 2": the client of node 2. */
static bool takes_client(enum chaos_action a, const char *const *word, size_t n)
{
    bool signals = a == CHAOS_KILL || a == CHAOS_STOP || a == CHAOS_CONT;
    return signals && n > 1 && strcmp(word[1], "el") == 0;
}

static bool parse_values(struct chaos_order *out, enum form form, const char *const *word, size_t n,
                         uint32_t nodes)
{
    switch (form) {
    case FORM_ALONE:
        out->node = CHAOS_ALL;
        return n == 0;
    case FORM_GROUPS:
        out->node = CHAOS_ALL;
        if (n == 1 && strcmp(word[0], "leader") == 0) {
            out->node = CHAOS_LEADER;
            return true;
        }
        return n == 1 && parse_groups(out->group, word[0], nodes);
    case FORM_NODE:
        return n == 1 && parse_node(&out->node, word[0], nodes);
    case FORM_NODE_MS:
        return n == 2 && parse_node(&out->node, word[0], nodes) &&
               parse_ms(&out->value, word[1], false);
    case FORM_NODE_SKEW:
        return n == 2 && parse_node(&out->node, word[0], nodes) &&
               parse_ms(&out->value, word[1], true);
    case FORM_NODE_PERCENT:
        return n == 2 && parse_node(&out->node, word[0], nodes) &&
               parse_percent(&out->value, word[1]);
    }
    return false;
}

enum err chaos_parse(struct chaos_order *out, const char *const *word, size_t n, uint32_t nodes,
                     char *why, size_t why_len)
{
    *out = (struct chaos_order){.node = CHAOS_ALL};
    if (n == 0) {
        snprintf(why, why_len, "which action? For example `baton chaos kill leader`");
        return ERR_USAGE;
    }
    for (size_t i = 0; i < ACTIONS; i++) {
        if (strcmp(word[0], actions[i].name) != 0) {
            continue;
        }
        out->action = actions[i].action;
        out->client = takes_client(out->action, word, n);
        size_t at = out->client ? 2 : 1;
        if (!parse_values(out, actions[i].form, word + at, n - at, nodes)) {
            snprintf(why, why_len,
                     "`%s` is written like `baton chaos %s`; nodes are 0 to %u or `leader`",
                     word[0], actions[i].example, nodes - 1);
            return ERR_USAGE;
        }
        return OK;
    }
    return unknown(word[0], why, why_len);
}

static struct json_object *cut_members(const struct chaos_order *order, uint32_t nodes,
                                       uint32_t node)
{
    struct json_object *list = json_object_new_array();
    for (uint32_t i = 0; i < nodes; i++) {
        if (order->group[i] != order->group[node]) {
            json_object_array_add(list, json_object_new_int((int)i));
        }
    }
    return list;
}

struct json_object *chaos_params(const struct chaos_order *order, uint32_t nodes, uint32_t node)
{
    enum chaos_action a = order->action;
    if (a == CHAOS_KILL || a == CHAOS_STOP || a == CHAOS_CONT || a == CHAOS_RESTART) {
        return NULL;
    }
    struct json_object *params = json_object_new_array();
    json_object_array_add(params, json_object_new_string(chaos_name(a)));
    if (a == CHAOS_PARTITION) {
        json_object_array_add(params, cut_members(order, nodes, node));
    } else if (a == CHAOS_SLOW || a == CHAOS_DROP || a == CHAOS_SKEW) {
        json_object_array_add(params, json_object_new_int64(order->value));
    }
    return params;
}
