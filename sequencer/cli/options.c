#include "sequencer/cli/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sequencer/cli/cli.h"
#include "sequencer/cli/suggest.h"

enum { MAX_OPTIONS = 40 };

struct parser {
    const struct command_line *c;
    char *why;
    size_t why_len;
};

bool number_parse(uint64_t *out, const char *text)
{
    uint64_t value = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || value > (UINT64_MAX - 9) / 10) {
            return false;
        }
        value = value * 10 + (uint64_t)(*text - '0');
    }
    *out = value;
    return true;
}

static uint64_t unit_ms(const char *unit)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(unit, units[i].name) == 0) {
            return units[i].ms;
        }
    }
    return 0;
}

/* Digits after the point, at most three, as thousandths. */
static const char *read_thousandths(const char *p, uint64_t *out)
{
    uint64_t scale = 100;
    *out = 0;
    for (; *p >= '0' && *p <= '9' && scale > 0; p++) {
        *out += (uint64_t)(*p - '0') * scale;
        scale /= 10;
    }
    return p;
}

bool duration_parse(uint64_t *out_ms, const char *text)
{
    const char *p = text;
    uint64_t whole = 0;
    uint64_t thousandths = 0;
    while (*p >= '0' && *p <= '9' && whole < UINT32_MAX) {
        whole = whole * 10 + (uint64_t)(*p++ - '0');
    }
    if (p == text) {
        return false;
    }
    if (*p == '.') {
        const char *digits = p + 1;
        p = read_thousandths(digits, &thousandths);
        if (p == digits) {
            return false;
        }
    }
    uint64_t unit = unit_ms(p);
    if (unit == 0 || thousandths * unit % 1000 != 0) {
        return false;
    }
    *out_ms = whole * unit + thousandths * unit / 1000;
    return true;
}

static enum err refuse(const struct parser *p, const char *name, const char *value,
                       const char *expected)
{
    snprintf(p->why, p->why_len, "--%s %s: expected %s", name, value, expected);
    return ERR_USAGE;
}

static void format_bound(char out[32], const struct option *o, uint64_t v)
{
    if (o->kind != OPTION_DURATION) {
        snprintf(out, 32, "%" PRIu64, v);
    } else if (v % 1000 == 0 && v > 0) {
        snprintf(out, 32, "%" PRIu64 "s", v / 1000);
    } else {
        snprintf(out, 32, "%" PRIu64 "ms", v);
    }
}

static enum err store_number(const struct parser *p, const struct option *o, const char *text)
{
    uint64_t value = 0;
    bool ok =
        o->kind == OPTION_DURATION ? duration_parse(&value, text) : number_parse(&value, text);
    if (!ok) {
        return refuse(p, o->name, text,
                      o->kind == OPTION_DURATION
                          ? "a duration with its unit, for example 200ms, 1.5s or 2m"
                          : "a whole number");
    }
    if (value < o->min || value > o->max) {
        char expected[80];
        char low[32];
        char high[32];
        format_bound(low, o, o->min);
        format_bound(high, o, o->max);
        snprintf(expected, sizeof expected, "%s to %s", low, high);
        return refuse(p, o->name, text, expected);
    }
    *(uint64_t *)o->to = value;
    return OK;
}

static enum err store_choice(const struct parser *p, const struct option *o, const char *text)
{
    size_t n = strlen(text);
    const char *at = o->value;
    while (n > 0 && at != NULL) {
        const char *bar = strchr(at, '|');
        size_t len = bar != NULL ? (size_t)(bar - at) : strlen(at);
        if (len == n && memcmp(at, text, n) == 0) {
            *(const char **)o->to = text;
            return OK;
        }
        at = bar != NULL ? bar + 1 : NULL;
    }
    char expected[128];
    snprintf(expected, sizeof expected, "one of %s", o->value);
    return refuse(p, o->name, text, expected);
}

static enum err store_item(const struct parser *p, const struct option *o, const char *text)
{
    struct option_list *list = o->to;
    if (list->n == OPTIONS_LIST) {
        return refuse(p, o->name, text, "it no more than 64 times");
    }
    list->item[list->n++] = text;
    return OK;
}

static enum err store(const struct parser *p, const struct option *o, const char *text)
{
    switch (o->kind) {
    case OPTION_NUMBER:
    case OPTION_DURATION:
        return store_number(p, o, text);
    case OPTION_CHOICE:
        return store_choice(p, o, text);
    case OPTION_LIST:
        return store_item(p, o, text);
    case OPTION_TEXT:
        *(const char **)o->to = text;
        return OK;
    case OPTION_FLAG:
        break;
    }
    return refuse(p, o->name, text, "no value: it is a switch");
}

static enum err unknown_option(const struct parser *p, const char *name, size_t len)
{
    const char *known[MAX_OPTIONS];
    char word[64];
    size_t n = 0;
    snprintf(word, sizeof word, "%.*s", (int)(len < 60 ? len : 60), name);
    for (; n < p->c->n && n < MAX_OPTIONS; n++) {
        known[n] = p->c->option[n].name;
    }
    const char *near = suggest(word, known, n);
    if (near != NULL) {
        snprintf(p->why, p->why_len, "there is no option --%s; did you mean --%s?", word, near);
    } else {
        snprintf(p->why, p->why_len, "there is no option --%s; `baton %s --help` lists them", word,
                 p->c->name);
    }
    return ERR_USAGE;
}

static const struct option *find(const struct command_line *c, const char *name, size_t len)
{
    for (size_t i = 0; i < c->n; i++) {
        if (strlen(c->option[i].name) == len && memcmp(c->option[i].name, name, len) == 0) {
            return &c->option[i];
        }
    }
    return NULL;
}

/* One option at argv[*at]; moves *at to its last word. */
static enum err parse_option(const struct parser *p, int argc, char **argv, int *at)
{
    const char *name = argv[*at] + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const struct option *o = find(p->c, name, len);
    if (o == NULL) {
        return unknown_option(p, name, len);
    }
    if (equals != NULL) {
        return store(p, o, equals + 1);
    }
    if (o->kind == OPTION_FLAG) {
        *(bool *)o->to = true;
        return OK;
    }
    if (*at + 1 >= argc) {
        snprintf(p->why, p->why_len, "--%s needs a value: --%s %s", o->name, o->name, o->value);
        return ERR_USAGE;
    }
    *at += 1;
    return store(p, o, argv[*at]);
}

static enum err add_word(const struct parser *p, struct words *words, const char *word)
{
    if (words == NULL || words->n == OPTIONS_WORDS) {
        snprintf(p->why, p->why_len, "`%.60s` is a word too many; `baton %s --help` shows the form",
                 word, p->c->name);
        return ERR_USAGE;
    }
    words->word[words->n++] = word;
    return OK;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

/* "-" is a name of its own, and "-5s" a value: clocks go wrong both ways. */
static bool looks_like_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0' && (word[1] < '0' || word[1] > '9');
}

enum err options_parse(const struct command_line *c, int argc, char **argv, struct words *words,
                       bool *help, char *why, size_t why_len)
{
    const struct parser p = {c, why, why_len};
    bool only_words = false;
    *help = wants_help(argc, argv);
    for (int i = 0; i < argc && !*help; i++) {
        const char *word = argv[i];
        if (!only_words && strcmp(word, "--") == 0) {
            only_words = true;
        } else if (only_words || !looks_like_option(word)) {
            TRY(add_word(&p, words, word));
        } else if (word[1] == '-') {
            TRY(parse_option(&p, argc, argv, &i));
        } else {
            snprintf(why, why_len, "`%.60s`: options begin with two dashes", word);
            return ERR_USAGE;
        }
    }
    return OK;
}

void options_print_help(const struct command_line *c)
{
    printf("Usage: baton %s %s\n\n%s\n", c->name, c->usage, c->summary);
    if (c->n > 0) {
        puts("\nOptions:");
    }
    for (size_t i = 0; i < c->n; i++) {
        const struct option *o = &c->option[i];
        char left[96];
        snprintf(left, sizeof left, "--%s %s", o->name, o->kind == OPTION_FLAG ? "" : o->value);
        printf("  %-26s %s\n", left, o->help);
    }
    puts("  --help                     this text");
}

int options_read(const struct command_line *c, int argc, char **argv, struct words *words)
{
    char why[256] = "";
    bool help = false;
    if (options_parse(c, argc, argv, words, &help, why, sizeof why) != OK) {
        return cli_fail(CLI_USAGE, "%s: %s", c->name, why);
    }
    if (help) {
        options_print_help(c);
        return CLI_DONE;
    }
    return -1;
}
