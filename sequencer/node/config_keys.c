/* What a key may hold, and which key was meant. */
#define _GNU_SOURCE
#include "sequencer/node/config_keys.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"

#define CONFIG_KIND_TEXT  CONFIG_TEXT_KIND
#define CONFIG_KIND_PATH  CONFIG_PATH
#define CONFIG_KIND_PLACE CONFIG_PLACE
#define CONFIG_KIND_MS    CONFIG_MS
#define CONFIG_KIND_FLAG  CONFIG_FLAG

const struct config_key config_keys[] = {
#define KEY(field, name, kind, otherwise, help)                                                    \
    {name,                                                                                         \
     CONFIG_KIND_##kind,                                                                           \
     offsetof(struct config, field),                                                               \
     sizeof(((struct config *)0)->field),                                                          \
     otherwise,                                                                                    \
     help},
#include "sequencer/node/config.def"
#undef KEY
};
const size_t config_keys_n = sizeof config_keys / sizeof config_keys[0];

static char fold(char c)
{
    return c == '_' ? '-' : (char)tolower((unsigned char)c);
}

static bool same_name(const char *a, const char *b)
{
    while (*a != '\0' && fold(*a) == fold(*b)) {
        a++;
        b++;
    }
    return fold(*a) == fold(*b);
}

const struct config_key *config_key_find(const char *name)
{
    for (size_t i = 0; i < config_keys_n; i++) {
        if (same_name(config_keys[i].name, name)) {
            return &config_keys[i];
        }
    }
    return NULL;
}

/* Insertions, deletions and substitutions between two short words. */
static size_t distance(const char *a, const char *b)
{
    size_t row[40];
    size_t n = strlen(b);
    if (n >= 40 || strlen(a) >= 40) {
        return 40;
    }
    for (size_t j = 0; j <= n; j++) {
        row[j] = j;
    }
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t change = corner + (fold(a[i]) != fold(b[j]) ? 1 : 0);
            size_t step = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
            corner = row[j + 1];
            row[j + 1] = change < step ? change : step;
        }
    }
    return row[n];
}

const char *config_key_suggest(const char *name)
{
    const char *best = NULL;
    size_t least = 3;
    for (size_t i = 0; i < config_keys_n; i++) {
        size_t d = distance(name, config_keys[i].name);
        if (d < least) {
            least = d;
            best = config_keys[i].name;
        }
    }
    return best;
}

static enum err set_text(char *to, size_t size, const char *value, char *why, size_t why_len)
{
    if (strlen(value) >= size) {
        snprintf(why, why_len, "expected at most %zu characters", size - 1);
        return ERR_CONFIG;
    }
    for (const char *p = value; *p != '\0'; p++) {
        if (iscntrl((unsigned char)*p)) {
            snprintf(why, why_len, "expected one line without control characters");
            return ERR_CONFIG;
        }
    }
    memset(to, 0, size);
    memcpy(to, value, strlen(value));
    return OK;
}

static enum err set_path(char *to, size_t size, const char *value, const char *base, char *why,
                         size_t why_len)
{
    char whole[2 * CONFIG_TEXT];
    if (value[0] == '\0' || value[0] == '/') {
        return set_text(to, size, value, why, why_len);
    }
    int n = snprintf(whole, sizeof whole, "%s/%s", base, value);
    if (n < 0 || (size_t)n >= sizeof whole) {
        snprintf(why, why_len, "the path is too long");
        return ERR_CONFIG;
    }
    return set_text(to, size, whole, why, why_len);
}

/* host:port with a port of 0 to 65535. */
static bool is_place(const char *value)
{
    const char *colon = strrchr(value, ':');
    if (colon == NULL || colon == value || !isdigit((unsigned char)colon[1]) ||
        strlen(colon + 1) > 5) {
        return false;
    }
    char *end;
    long port = strtol(colon + 1, &end, 10);
    return *end == '\0' && port <= 65535;
}

static bool read_ms(const char *value, uint64_t *out)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    char *end;
    errno = 0;
    if (!isdigit((unsigned char)value[0])) {
        return false;
    }
    uint64_t number = strtoull(value, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (errno == 0 && strcmp(end, units[i].unit) == 0 &&
            number <= LIMIT_CONFIG_S * UINT64_C(1000) / units[i].ms) {
            *out = number * units[i].ms;
            return true;
        }
    }
    return false;
}

enum err config_key_set(struct config *c, const struct config_key *key, const char *value,
                        const char *base, char *why, size_t why_len)
{
    char *to = (char *)c + key->offset;
    uint64_t ms = 0;
    bool flag = strcmp(value, "true") == 0;
    switch (key->kind) {
    case CONFIG_TEXT_KIND:
        return set_text(to, key->size, value, why, why_len);
    case CONFIG_PATH:
        return set_path(to, key->size, value, base, why, why_len);
    case CONFIG_PLACE:
        if (value[0] != '\0' && !is_place(value)) {
            snprintf(why, why_len, "expected host:port, for example 127.0.0.1:8545");
            return ERR_CONFIG;
        }
        return set_text(to, key->size, value, why, why_len);
    case CONFIG_MS:
        if (!read_ms(value, &ms)) {
            snprintf(why, why_len, "expected a duration with its unit, a year at most: 200ms, 2s, "
                                   "1m or 1h");
            return ERR_CONFIG;
        }
        memcpy(to, &ms, sizeof ms);
        return OK;
    case CONFIG_FLAG:
        if (!flag && strcmp(value, "false") != 0) {
            snprintf(why, why_len, "expected true or false");
            return ERR_CONFIG;
        }
        memcpy(to, &flag, sizeof flag);
        return OK;
    }
    return ERR_CONFIG;
}
