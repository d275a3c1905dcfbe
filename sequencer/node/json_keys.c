#define _GNU_SOURCE
#include "sequencer/node/json_keys.h"

#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"

struct key_span {
    const char *p;
    size_t n;
};

struct keys {
    struct key_span *key;
    size_t n, cap;
    size_t first[LIMIT_RPC_JSON_DEPTH + 1]; /* of each open object or list */
    size_t depth;
};

struct json_place json_place_of(const char *text, size_t at)
{
    struct json_place p = {1, 1};
    for (size_t i = 0; i < at && text[i] != '\0'; i++) {
        p.column++;
        if (text[i] == '\n') {
            p.line++;
            p.column = 1;
        }
    }
    return p;
}

static bool known(const struct keys *k, struct key_span s)
{
    for (size_t i = k->first[k->depth]; i < k->n; i++) {
        if (k->key[i].n == s.n && memcmp(k->key[i].p, s.p, s.n) == 0) {
            return true;
        }
    }
    return false;
}

/* False: twice, with an escape, or no memory. */
static bool add(struct keys *k, struct key_span s)
{
    if (memchr(s.p, '\\', s.n) != NULL || known(k, s)) {
        return false;
    }
    if (k->n == k->cap) {
        size_t cap = k->cap == 0 ? 256 : k->cap * 2;
        struct key_span *bigger = realloc(k->key, cap * sizeof *bigger);
        if (bigger == NULL) {
            return false;
        }
        k->key = bigger;
        k->cap = cap;
    }
    k->key[k->n++] = s;
    return true;
}

/* Position behind the string that begins at `at`. */
static size_t string_end(const char *text, size_t n, size_t at)
{
    for (at++; at < n && text[at] != '"'; at++) {
        if (text[at] == '\\') {
            at++;
        }
    }
    return at + 1;
}

static bool is_key(const char *text, size_t n, size_t at)
{
    while (at < n && strchr(" \t\r\n", text[at]) != NULL && text[at] != '\0') {
        at++;
    }
    return at < n && text[at] == ':';
}

static bool walk(struct keys *k, const char *text, size_t n, size_t *at)
{
    for (size_t i = 0; i < n; i++) {
        *at = i;
        if (text[i] == '{' || text[i] == '[') {
            if (k->depth == LIMIT_RPC_JSON_DEPTH) {
                return true;
            }
            k->first[++k->depth] = k->n;
        } else if ((text[i] == '}' || text[i] == ']') && k->depth > 0) {
            k->n = k->first[k->depth--];
        } else if (text[i] == '"') {
            size_t end = string_end(text, n, i);
            if (end <= n && is_key(text, n, end) &&
                !add(k, (struct key_span){text + i + 1, end - i - 2})) {
                return true;
            }
            i = end - 1;
        }
    }
    return false;
}

bool json_keys_twice(const char *text, size_t n, size_t *at)
{
    struct keys k = {0};
    bool twice = walk(&k, text, n, at);
    free(k.key);
    return twice;
}
