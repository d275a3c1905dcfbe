#define _GNU_SOURCE
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "sequencer/cli/address_text.h"
#include "sequencer/cli/cli.h"
#include "sequencer/cli/doc.h"
#include "sequencer/cli/options.h"
#include "sequencer/cli/password.h"
#include "sequencer/cli/suggest.h"
#include "sequencer/node/keyfile.h"

struct keys_options {
    const char *out;
    const char *password_file;
    bool light;
    bool yes;
    bool json;
};

struct keys_command {
    const char *name;
    int (*run)(const struct keys_options *o, const char *file);
    bool needs_file;
};

static int fail(enum err e, const char *why)
{
    return cli_fail(cli_exit_of(e), "keys: %s", *why != '\0' ? why : err_text(e));
}

static int tell(const struct keys_options *o, const struct address *a, const char *path)
{
    char text[HEX_SIZE(20)];
    address_text(text, a);
    if (!o->json) {
        printf("%s\n", text);
        return CLI_DONE;
    }
    struct json_object *doc = json_object_new_object();
    doc_put_address(doc, "address", a);
    doc_put_text(doc, "file", path);
    doc_print_line(doc);
    json_object_put(doc);
    return CLI_DONE;
}

static int write_key(const struct keys_options *o, const struct secret_key *key)
{
    char password[PASSWORD_SIZE] = "";
    char why[512] = "";
    struct address address;
    enum err e = password_read(password, o->password_file, true, why, sizeof why);
    if (e == OK) {
        e = key_address(&address, key);
    }
    if (e == OK) {
        e = keyfile_write(o->out, key, bytes_of(password, strlen(password)), o->light, why,
                          sizeof why);
    }
    OPENSSL_cleanse(password, sizeof password);
    return e == OK ? tell(o, &address, o->out) : fail(e, why);
}

static int run_new(const struct keys_options *o, const char *file)
{
    (void)file;
    struct secret_key *key = key_alloc();
    if (key == NULL || key_generate(key) != OK) {
        key_free(key);
        return fail(ERR_CRYPTO, "");
    }
    int code = write_key(o, key);
    key_free(key);
    return code;
}

static enum err read_secret(struct secret_key *out, const char *path)
{
    char line[128] = "";
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (f == NULL) {
        return ERR_NOT_FOUND;
    }
    char *got = fgets(line, sizeof line, f);
    if (f != stdin) {
        fclose(f);
    }
    line[strcspn(line, "\r\n")] = '\0';
    bool ok = got != NULL && hex_decode(out->b, 32, line) && key_check(out) == OK;
    OPENSSL_cleanse(line, sizeof line);
    return ok ? OK : ERR_MALFORMED;
}

static int run_import(const struct keys_options *o, const char *file)
{
    struct secret_key *key = key_alloc();
    if (key == NULL) {
        return fail(ERR_NO_MEMORY, "");
    }
    enum err e = read_secret(key, file);
    int code = e == OK ? write_key(o, key)
                       : fail(e, "expected a file (or - for standard input) with 64 hex digits");
    key_free(key);
    return code;
}

static int run_show(const struct keys_options *o, const char *file)
{
    char why[512] = "";
    struct address address;
    enum err e = keyfile_address(&address, file, why, sizeof why);
    return e == OK ? tell(o, &address, file) : fail(e, why);
}

static int print_secret(const struct keys_options *o, const char *file, struct secret_key *key)
{
    char why[512] = "";
    char text[HEX_SIZE(32)];
    struct address address;
    enum err e = keyfile_read(key, &address, file, o->password_file, why, sizeof why);
    if (e != OK) {
        return fail(e, why);
    }
    hex_encode(text, key->b, 32);
    printf("%s\n", text);
    OPENSSL_cleanse(text, sizeof text);
    return CLI_DONE;
}

static int run_export(const struct keys_options *o, const char *file)
{
    if (!o->yes) {
        return cli_fail(CLI_REFUSED,
                        "keys: export prints the secret key; say --yes if you mean it");
    }
    if (o->password_file == NULL) {
        return cli_fail(CLI_USAGE, "keys: export needs --password-file");
    }
    struct secret_key *key = key_alloc();
    int code = key != NULL ? print_secret(o, file, key) : fail(ERR_NO_MEMORY, "");
    key_free(key);
    return code;
}

static const struct keys_command commands[] = {
    {"new", run_new, false},
    {"show", run_show, true},
    {"import", run_import, true},
    {"export", run_export, true},
};

static int dispatch(const struct keys_options *o, const struct words *words)
{
    const char *names[4];
    const char *word = words->n > 0 ? words->word[0] : "";
    for (size_t i = 0; i < 4; i++) {
        names[i] = commands[i].name;
        if (strcmp(word, names[i]) != 0) {
            continue;
        }
        if (words->n != (commands[i].needs_file ? 2u : 1u)) {
            return cli_fail(CLI_USAGE, "keys: the form is `baton keys %s%s`", word,
                            commands[i].needs_file ? " FILE" : "");
        }
        return commands[i].run(o, words->n > 1 ? words->word[1] : NULL);
    }
    const char *near = suggest(word, names, 4);
    return cli_fail(CLI_USAGE, "keys: expected new, show, import or export%s%s%s",
                    near != NULL ? "; did you mean `" : "", near != NULL ? near : "",
                    near != NULL ? "`?" : "");
}

int cmd_keys(int argc, char **argv)
{
    struct keys_options o = {.out = "key.json"};
    struct words words = {.n = 0};
    const struct option table[] = {
        {"out", OPTION_TEXT, &o.out, "FILE", 0, 0,
         "key file to write (key.json); never overwritten"},
        {"password-file", OPTION_TEXT, &o.password_file, "FILE", 0, 0,
         "its first line; else the terminal asks"},
        {"light", OPTION_FLAG, &o.light, "", 0, 0, "cheap scrypt, for devnets and tests"},
        {"yes", OPTION_FLAG, &o.yes, "", 0, 0, "export: print the secret"},
        {"json", OPTION_FLAG, &o.json, "", 0, 0, "as JSON"},
    };
    const struct command_line line = {
        "keys", "new | show FILE | import FILE | export FILE --yes",
        "Encrypted key files (Ethereum keystore v3, read by geth, cast and ethers).\n"
        "new and import print the address; import reads 64 hex digits from FILE or - .",
        table, sizeof table / sizeof table[0]};
    int code = options_read(&line, argc, argv, &words);
    return code >= 0 ? code : dispatch(&o, &words);
}
