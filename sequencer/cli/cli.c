#include "sequencer/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/key.h"
#include "sequencer/cli/suggest.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
};

static const struct command commands[] = {
#define COMMAND(name, summary) {#name, cmd_##name, summary},
#include "sequencer/cli/commands.def"
#undef COMMAND
};

static const char *const names[] = {
#define COMMAND(name, summary) #name,
#include "sequencer/cli/commands.def"
#undef COMMAND
    "help",
};

enum { COMMANDS = sizeof commands / sizeof commands[0], NAMES = sizeof names / sizeof names[0] };

int cli_fail(int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("baton: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return code;
}

int cli_exit_of(enum err e)
{
    if (e == OK) {
        return CLI_DONE;
    }
    if (e == ERR_USAGE || e == ERR_CONFIG || e == ERR_NOT_FOUND || e == ERR_MALFORMED) {
        return CLI_USAGE;
    }
    if (e == ERR_REFUSED || e == ERR_IN_USE || e == ERR_CORRUPT || e == ERR_WRONG_CHAIN) {
        return CLI_REFUSED;
    }
    return e == ERR_UNREACHABLE ? CLI_UNREACHABLE : CLI_FAILED;
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static void print_help(FILE *to)
{
    fputs("Baton: a decentralized, rotating L2 sequencer node.\n\n"
          "Usage: baton COMMAND [OPTIONS]\n\nCommands:\n",
          to);
    for (size_t i = 0; i < COMMANDS; i++) {
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    fputs(
        "\n`baton help COMMAND` and `baton COMMAND --help` say more. First steps: `baton devnet`.\n"
        "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 refused for safety,\n"
        "4 not reachable.\n",
        to);
}

static int unknown(const char *word)
{
    const char *near = suggest(word, names, NAMES);
    if (near != NULL) {
        return cli_fail(CLI_USAGE, "there is no command `%s`; did you mean `%s`?", word, near);
    }
    return cli_fail(CLI_USAGE, "there is no command `%s`; `baton help` lists them", word);
}

/* `baton help CMD …` is `baton CMD … --help`. */
static int help(int argc, char **argv)
{
    if (argc == 0 || strcmp(argv[0], "help") == 0) {
        print_help(stdout);
        return CLI_DONE;
    }
    const struct command *command = find(argv[0]);
    if (command == NULL) {
        return unknown(argv[0]);
    }
    static char flag[] = "--help";
    char *words[2] = {flag, NULL};
    int n = 0;
    if (argc > 1) {
        words[n++] = argv[1];
    }
    words[n++] = flag;
    return command->run(n, words);
}

int cli_main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        return help(argc - 2, argv + 2);
    }
    const struct command *command = find(strcmp(word, "--version") == 0 ? "version" : word);
    if (command == NULL) {
        return unknown(word);
    }
    if (key_library_init() != OK) {
        return cli_fail(CLI_FAILED, "the crypto library does not start");
    }
    return command->run(argc - 2, argv + 2);
}
