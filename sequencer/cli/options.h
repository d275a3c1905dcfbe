/* Typed command-line options with precise errors: `--name value`, `--name=value`, `--flag`.
 *
 * A command describes its options in a table whose rows point at where the values go; defaults
 * are what stands there before. Words that are no options are collected in order; `--` ends the
 * options; `-` is a word. Strings borrow from argv. */
#ifndef SEQUENCER_CLI_OPTIONS_H
#define SEQUENCER_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/error.h"

enum { OPTIONS_WORDS = 16, OPTIONS_LIST = 64 };

enum option_kind {
    OPTION_FLAG = 1, /* bool */
    OPTION_TEXT,     /* const char * */
    OPTION_NUMBER,   /* uint64_t within min … max */
    OPTION_DURATION, /* uint64_t ms within min … max; needs a unit: ms, s, m or h */
    OPTION_CHOICE,   /* const char *; `value` lists the choices: "bft|crash" */
    OPTION_LIST      /* struct option_list; may be given often */
};

struct option_list {
    const char *item[OPTIONS_LIST];
    size_t n;
};

struct option {
    const char *name;
    enum option_kind kind;
    void *to;
    const char *value; /* what stands for the value in help; choices for OPTION_CHOICE */
    uint64_t min;
    uint64_t max;
    const char *help;
};

struct words {
    const char *word[OPTIONS_WORDS];
    size_t n;
};

struct command_line {
    const char *name;    /* "devnet" */
    const char *usage;   /* what follows the name: "[OPTIONS]" */
    const char *summary; /* what it does; may have several lines */
    const struct option *option;
    size_t n;
};

/* "200ms", "1.5s", "2m", "1h" in ms. False: no number, no unit, or too large. */
bool duration_parse(uint64_t *out_ms, const char *text);
/* Decimal digits only. */
bool number_parse(uint64_t *out, const char *text);

/* ERR_USAGE with one sentence in `why`. `help` is set, and nothing else looked at, when --help or
 * -h stands anywhere before `--`. `words` NULL: the command takes none. */
enum err options_parse(const struct command_line *c, int argc, char **argv, struct words *words,
                       bool *help, char *why, size_t why_len) MUST_USE;

void options_print_help(const struct command_line *c);

/* options_parse for commands: prints help or the sentence itself. Returns -1 to go on, else the
 * exit code to end with. */
int options_read(const struct command_line *c, int argc, char **argv, struct words *words);

#endif
