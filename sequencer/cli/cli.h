/* The one program: finds the sub-command, gives help, turns results into exit codes.
 *
 * Exit codes (INTERFACE 1): 0 done, 1 failed, 2 wrong usage or configuration, 3 refused for
 * safety, 4 not reachable. A command is `int cmd_<name>(int argc, char **argv)`; its argv holds
 * the words after its own name. Results go to stdout, everything else to stderr. */
#ifndef SEQUENCER_CLI_CLI_H
#define SEQUENCER_CLI_CLI_H

#include "proto/error.h"

enum cli_exit { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_REFUSED = 3, CLI_UNREACHABLE = 4 };

/* The whole program: argv as main got it. */
int cli_main(int argc, char **argv);

/* One sentence on stderr, `baton: ` before it; returns `code`. */
int cli_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The exit code that an error of ours deserves. */
int cli_exit_of(enum err e);

#define COMMAND(name, summary) int cmd_##name(int argc, char **argv);
#include "sequencer/cli/commands.def"
#undef COMMAND

/* `baton bench load`, the words after `load`. */
int cmd_bench_load(int argc, char **argv);

#endif
