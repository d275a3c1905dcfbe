#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>

#include "proto/limits.h"
#include "sequencer/cli/cli.h"
#include "sequencer/cli/doc.h"
#include "sequencer/cli/options.h"

static const struct {
    const char *name;
    uint64_t value;
    const char *unit;
    const char *effect;
} limits[] = {
#define LIMIT(name, value, unit, effect) {#name, (value), (unit), (effect)},
    LIMITS(LIMIT)
#undef LIMIT
};
enum { ROWS = sizeof limits / sizeof limits[0] };

static void print_json(void)
{
    struct json_object *all = json_object_new_array();
    for (size_t i = 0; i < ROWS; i++) {
        struct json_object *o = json_object_new_object();
        doc_put_text(o, "name", limits[i].name);
        doc_put_u64(o, "value", limits[i].value);
        doc_put_text(o, "unit", limits[i].unit);
        doc_put_text(o, "effect", limits[i].effect);
        json_object_array_add(all, o);
    }
    doc_print_pretty(all);
    json_object_put(all);
}

int cmd_limits(int argc, char **argv)
{
    bool json = false;
    const struct option table[] = {{"json", OPTION_FLAG, &json, "", 0, 0, "as JSON"}};
    const struct command_line line = {"limits", "[--json]",
                                      "Prints every bound and what happens there.", table, 1};
    int code = options_read(&line, argc, argv, NULL);
    if (code >= 0) {
        return code;
    }
    if (json) {
        print_json();
        return CLI_DONE;
    }
    for (size_t i = 0; i < ROWS; i++) {
        printf("%-24s %10" PRIu64 " %-14s %s\n", limits[i].name, limits[i].value, limits[i].unit,
               limits[i].effect);
    }
    return CLI_DONE;
}
