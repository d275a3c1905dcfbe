/* Configuration: defaults, file, environment, flags, in this order; then what depends on others. */
#define _GNU_SOURCE
#include "sequencer/node/config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/bytes.h"
#include "sequencer/node/config_keys.h"

enum { EL_FILL_MAX_MS = 2000 };

struct base {
    char cwd[CONFIG_TEXT];
    char config[2 * CONFIG_TEXT]; /* absolute path of the file; empty: none */
};

static void defaults(struct config *c)
{
    char why[64];
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < config_keys_n; i++) {
        enum err e =
            config_key_set(c, &config_keys[i], config_keys[i].otherwise, "", why, sizeof why);
        (void)e; /* the table's own values fit: a test sets them all */
    }
}

/* The word after `--config`, or behind `--config=`; NULL: none. */
static const char *find_config_flag(int argc, char **argv)
{
    const char *found = NULL;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
            found = argv[i + 1];
        } else if (strncmp(argv[i], "--config=", 9) == 0) {
            found = argv[i] + 9;
        }
    }
    return found;
}

static enum err from_environment(struct config *c, const struct base *b, char *why, size_t why_len)
{
    for (size_t i = 0; i < config_keys_n; i++) {
        char name[64] = "BATON_";
        char what[192];
        size_t n = strlen(name);
        for (const char *p = config_keys[i].name; *p != '\0' && n + 1 < sizeof name; p++) {
            name[n++] = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
        }
        name[n] = '\0';
        const char *value = getenv(name);
        if (value != NULL &&
            config_key_set(c, &config_keys[i], value, b->cwd, what, sizeof what) != OK) {
            snprintf(why, why_len, "%s='%.60s': %s", name, value, what);
            return ERR_CONFIG;
        }
    }
    return OK;
}

static enum err unknown_flag(const char *flag, char *why, size_t why_len)
{
    const char *meant = config_key_suggest(flag);
    if (meant != NULL) {
        snprintf(why, why_len, "--%.40s: unknown option; did you mean --%s?", flag, meant);
    } else {
        snprintf(why, why_len, "--%.40s: unknown option; `baton node --help` lists them", flag);
    }
    return ERR_USAGE;
}

/* Takes one option; `*i` moves past what it used. */
static enum err take_flag(struct config *c, const struct base *b, int argc, char **argv, int *i,
                          char *why, size_t why_len)
{
    char name[64];
    char what[192];
    const char *word = argv[(*i)++];
    if (strncmp(word, "--", 2) != 0) {
        snprintf(why, why_len, "'%.60s': expected an option that begins with --", word);
        return ERR_USAGE;
    }
    const char *equals = strchr(word, '=');
    size_t n = equals == NULL ? strlen(word + 2) : (size_t)(equals - word - 2);
    snprintf(name, sizeof name, "%.*s", (int)(n < 63 ? n : 63), word + 2);
    const struct config_key *key = config_key_find(name);
    bool is_config = strcmp(name, "config") == 0;
    if (key == NULL && !is_config) {
        return unknown_flag(name, why, why_len);
    }
    bool has_next = *i < argc && strncmp(argv[*i], "--", 2) != 0;
    const char *value = equals != NULL ? equals + 1 : has_next ? argv[*i] : NULL;
    if (value == NULL && key != NULL && key->kind == CONFIG_FLAG) {
        value = "true";
    } else if (value == NULL) {
        snprintf(why, why_len, "--%s: expected a value after it", name);
        return ERR_USAGE;
    } else if (equals == NULL) {
        (*i)++;
    }
    if (!is_config && config_key_set(c, key, value, b->cwd, what, sizeof what) != OK) {
        snprintf(why, why_len, "--%s '%.60s': %s", name, value, what);
        return ERR_USAGE;
    }
    return OK;
}

static enum err from_flags(struct config *c, const struct base *b, int argc, char **argv, char *why,
                           size_t why_len)
{
    for (int i = 0; i < argc;) {
        TRY(take_flag(c, b, argc, argv, &i, why, why_len));
    }
    return OK;
}

static enum err in_dir(char to[CONFIG_TEXT], const struct config *c, const char *file, char *why,
                       size_t why_len)
{
    if (to[0] != '\0') {
        return OK;
    }
    int n = snprintf(to, CONFIG_TEXT, "%s/%s", c->dir, file);
    if (n < 0 || n >= CONFIG_TEXT) {
        snprintf(why, why_len, "dir: the path %.40s… is too long; choose a shorter one", c->dir);
        return ERR_CONFIG;
    }
    return OK;
}

static enum err derive(struct config *c, const struct base *b, char *why, size_t why_len)
{
    if (c->dir[0] == '\0') {
        const char *slash = strrchr(b->config, '/');
        int n = slash == NULL ? 0 : (int)(slash - b->config);
        snprintf(c->dir, sizeof c->dir, "%.*s", n == 0 ? (int)strlen(b->cwd) : n,
                 n == 0 ? b->cwd : b->config);
    }
    TRY(in_dir(c->genesis, c, "genesis.json", why, why_len));
    TRY(in_dir(c->key, c, "key.json", why, why_len));
    TRY(in_dir(c->password, c, "password", why, why_len));
    TRY(in_dir(c->admin_token, c, "admin.token", why, why_len));
    TRY(in_dir(c->el_secret, c, "jwt.hex", why, why_len));
    TRY(in_dir(c->l1_key, c, "poster.json", why, why_len));
    TRY(in_dir(c->l1_password, c, "password", why, why_len));
    return OK;
}

bool config_el_is_url(const struct config *c)
{
    return strncmp(c->el, "http://", 7) == 0 || strncmp(c->el, "https://", 8) == 0;
}

/* NULL, or what is wrong with the execution client. */
static const char *check_el(const struct config *c)
{
    bool url = config_el_is_url(c);
    if (strcmp(c->el, "ledger") != 0 && !url) {
        return "el: expected ledger, the built-in execution client, or an http:// address";
    }
    if (strcmp(c->el_order, "client") != 0 && strcmp(c->el_order, "given") != 0) {
        return "el-order: expected client or given";
    }
    if (c->el_fill_ms > EL_FILL_MAX_MS) {
        return "el-fill: expected at most 2s";
    }
    return url && c->l1[0] != '\0' ? "el: batches of a chain with execution clients stay in files; "
                                     "remove l1"
                                   : NULL;
}

static enum err check(const struct config *c, char *why, size_t why_len)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    uint8_t address[20];
    bool level = false;
    for (size_t i = 0; i < 4; i++) {
        level = level || strcmp(c->log_level, levels[i]) == 0;
    }
    if (!level) {
        snprintf(why, why_len, "log-level '%s': expected error, warn, info or debug", c->log_level);
    } else if (check_el(c) != NULL) {
        snprintf(why, why_len, "%s", check_el(c));
    } else if (c->l1[0] != '\0' && (c->l1_chain_id[0] == '\0' || c->l1_start[0] == '\0')) {
        snprintf(why, why_len, "l1: expected l1-chain-id and l1-start beside it");
    } else if (strcmp(c->da, "calldata") != 0 && strcmp(c->da, "blob") != 0) {
        snprintf(why, why_len, "da '%s': expected calldata or blob", c->da);
    } else if (c->rpc[0] == '\0') {
        snprintf(why, why_len, "rpc: expected host:port, for example 127.0.0.1:8545");
    } else if (c->fee_recipient[0] != '\0' &&
               !hex_decode(address, sizeof address, c->fee_recipient)) {
        snprintf(why, why_len, "fee-recipient '%s': expected an address of 40 hex digits",
                 c->fee_recipient);
    } else {
        return OK;
    }
    return ERR_CONFIG;
}

enum err config_load(struct config *out, int argc, char **argv, char *why, size_t why_len)
{
    struct base b = {0};
    if (getcwd(b.cwd, sizeof b.cwd) == NULL) {
        snprintf(why, why_len, "the working directory cannot be named; start from another one");
        return ERR_CONFIG;
    }
    defaults(out);
    const char *file = find_config_flag(argc, argv);
    if (file != NULL) {
        snprintf(b.config, sizeof b.config, "%s%s%.255s", file[0] == '/' ? "" : b.cwd,
                 file[0] == '/' ? "" : "/", file);
        TRY(config_yaml_read(out, b.config, why, why_len));
    }
    TRY(from_environment(out, &b, why, why_len));
    TRY(from_flags(out, &b, argc, argv, why, why_len));
    TRY(derive(out, &b, why, why_len));
    return check(out, why, why_len);
}

/* ---- writing, help --------------------------------------------------------------------------- */

static void write_text(FILE *f, const char *name, const char *value)
{
    fprintf(f, "%s: \"", name);
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\') {
            fputc('\\', f);
        }
        fputc(*value, f);
    }
    fputs("\"\n", f);
}

static void write_key(FILE *f, const struct config *c, const struct config *plain,
                      const struct config_key *key)
{
    const char *value = (const char *)c + key->offset;
    if (memcmp(value, (const char *)plain + key->offset, key->size) == 0) {
        return;
    }
    if (key->kind == CONFIG_MS) {
        uint64_t ms;
        memcpy(&ms, value, sizeof ms);
        fprintf(f, "%s: %llums\n", key->name, (unsigned long long)ms);
    } else if (key->kind == CONFIG_FLAG) {
        fprintf(f, "%s: true\n", key->name);
    } else {
        write_text(f, key->name, value);
    }
}

enum err config_write(const struct config *c, const char *path)
{
    struct config plain;
    struct base b = {0};
    char why[128];
    defaults(&plain);
    memcpy(plain.dir, c->dir, sizeof plain.dir);
    TRY(derive(&plain, &b, why, sizeof why));
    memset(plain.dir, 0, sizeof plain.dir);
    FILE *f = fopen(path, "we");
    if (f == NULL) {
        return ERR_IO;
    }
    for (size_t i = 0; i < config_keys_n; i++) {
        write_key(f, c, &plain, &config_keys[i]);
    }
    bool bad = ferror(f) != 0;
    return fclose(f) != 0 || bad ? ERR_IO : OK;
}

void config_print_help(void)
{
    puts("usage: baton node --config FILE [--key value …]\n\n"
         "Runs one node until SIGINT or SIGTERM. Every key below may stand in the file (key: "
         "value),\n"
         "in the environment (BATON_KEY) and on the command line (--key value); the last one "
         "wins.\n");
    for (size_t i = 0; i < config_keys_n; i++) {
        const struct config_key *k = &config_keys[i];
        printf("  --%-18s %s", k->name, k->help);
        if (k->otherwise[0] != '\0') {
            printf(" (default: %s)", k->otherwise);
        }
        putchar('\n');
    }
}
