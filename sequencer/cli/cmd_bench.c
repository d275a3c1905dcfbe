#include <string.h>

#include "sequencer/cli/cli.h"
#include "sequencer/cli/options.h"

static const struct command_line line = {"bench", "load [OPTIONS]",
                                         "load: signs and sends transfers at a rate, measures, "
                                         "audits; `baton bench load --help`.",
                                         NULL, 0};

int cmd_bench(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], "load") == 0) {
        return cmd_bench_load(argc - 1, argv + 1);
    }
    struct words words = {.n = 0};
    int code = options_read(&line, argc, argv, &words);
    return code >= 0 ? code : cli_fail(CLI_USAGE, "bench: expected `baton bench load`");
}
