/* node.yaml: one mapping of keys to plain values, read event by event so that every error has its
 * line and column. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "proto/limits.h"
#include "sequencer/node/config_keys.h"

struct reading {
    struct config *config;
    const char *path;
    char base[CONFIG_TEXT];
    const struct config_key *key;
    bool seen[64];
    bool inside;
    bool done;
    char *why;
    size_t why_len;
};

static enum err fail(struct reading *r, const yaml_mark_t *at, const char *what)
{
    snprintf(r->why, r->why_len, "%s:%zu:%zu: %s", r->path, at->line + 1, at->column + 1, what);
    return ERR_CONFIG;
}

static enum err take_key(struct reading *r, const yaml_event_t *e, const char *name)
{
    char what[256];
    r->key = config_key_find(name);
    if (r->key == NULL) {
        const char *meant = config_key_suggest(name);
        if (meant != NULL) {
            snprintf(what, sizeof what, "unknown key '%.40s'; did you mean '%s'?", name, meant);
        } else {
            snprintf(what, sizeof what, "unknown key '%.40s'; `baton node --help` lists the keys",
                     name);
        }
        return fail(r, &e->start_mark, what);
    }
    size_t i = (size_t)(r->key - config_keys);
    if (r->seen[i]) {
        snprintf(what, sizeof what, "key '%s' stands twice; keep one of them", r->key->name);
        return fail(r, &e->start_mark, what);
    }
    r->seen[i] = true;
    return OK;
}

static enum err take_scalar(struct reading *r, const yaml_event_t *e)
{
    const char *text = (const char *)e->data.scalar.value;
    if (strlen(text) != e->data.scalar.length) {
        return fail(r, &e->start_mark, "a zero character stands here; remove it");
    }
    if (!r->inside) {
        return e->data.scalar.length == 0 ? OK
                                          : fail(r, &e->start_mark, "expected `key: value` lines");
    }
    if (r->key == NULL) {
        return take_key(r, e, text);
    }
    char why[192];
    char what[320];
    enum err err = config_key_set(r->config, r->key, text, r->base, why, sizeof why);
    if (err != OK) {
        snprintf(what, sizeof what, "%s: '%.60s': %s", r->key->name, text, why);
        return fail(r, &e->start_mark, what);
    }
    r->key = NULL;
    return OK;
}

static enum err take_event(struct reading *r, const yaml_event_t *e)
{
    switch ((int)e->type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(r, e);
    case YAML_MAPPING_START_EVENT:
        if (r->inside) {
            return fail(r, &e->start_mark, "expected a plain value here, not a mapping");
        }
        r->inside = true;
        return OK;
    case YAML_MAPPING_END_EVENT:
        r->inside = false;
        return OK;
    case YAML_SEQUENCE_START_EVENT:
        return fail(r, &e->start_mark, "expected a plain value here, not a list");
    case YAML_ALIAS_EVENT:
        return fail(r, &e->start_mark, "expected a plain value here, not an alias");
    case YAML_STREAM_END_EVENT:
        r->done = true;
        return OK;
    default:
        return OK;
    }
}

static enum err read_all(struct reading *r, yaml_parser_t *parser)
{
    while (!r->done) {
        yaml_event_t e;
        if (yaml_parser_parse(parser, &e) == 0) {
            const char *problem = parser->problem != NULL ? parser->problem : "this is not YAML";
            return fail(r, &parser->problem_mark, problem);
        }
        enum err err = take_event(r, &e);
        yaml_event_delete(&e);
        TRY(err);
    }
    return OK;
}

static void folder_of(char out[CONFIG_TEXT], const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - path);
    if (n >= CONFIG_TEXT) {
        n = CONFIG_TEXT - 1;
    }
    memcpy(out, path, n);
    out[n] = '\0';
    if (n == 0) {
        snprintf(out, CONFIG_TEXT, "%s", slash == NULL ? "." : "/");
    }
}

enum err config_yaml_read(struct config *out, const char *path, char *why, size_t why_len)
{
    struct reading r = {.config = out, .path = path, .why = why, .why_len = why_len};
    folder_of(r.base, path);
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        snprintf(why, why_len, "%s cannot be read; give the configuration with --config FILE",
                 path);
        return ERR_CONFIG;
    }
    bool small =
        fseek(f, 0, SEEK_END) == 0 && ftell(f) <= LIMIT_CONFIG_BYTES && fseek(f, 0, SEEK_SET) == 0;
    yaml_parser_t parser;
    if (!small || yaml_parser_initialize(&parser) == 0) {
        fclose(f);
        snprintf(why, why_len, "%s is no file of at most %d bytes; give a node.yaml", path,
                 (int)LIMIT_CONFIG_BYTES);
        return ERR_CONFIG;
    }
    yaml_parser_set_input_file(&parser, f);
    enum err err = read_all(&r, &parser);
    yaml_parser_delete(&parser);
    fclose(f);
    return err;
}
