#define _GNU_SOURCE
#include "sequencer/engine/engine_status.h"

enum { UNAUTHORIZED = 401, FORBIDDEN = 403, NOT_FOUND = 404, METHOD_NOT_ALLOWED = 405 };

struct row {
    enum execution_status verdict;
    bool over;
    const char *text;
};

static const struct row row[ENGINE_MEANINGS_N] = {
#define X(name, verdict, over, text) [ENGINE_##name] = {verdict, over, text},
    ENGINE_MEANINGS(X)
#undef X
};

enum execution_status engine_verdict(enum engine_meaning m)
{
    return m < ENGINE_MEANINGS_N ? row[m].verdict : EXECUTION_ERROR;
}

bool engine_session_over(enum engine_meaning m)
{
    return m >= ENGINE_MEANINGS_N || row[m].over;
}

const char *engine_meaning_text(enum engine_meaning m)
{
    return m < ENGINE_MEANINGS_N ? row[m].text : "?";
}

/* A client says 401 as plain text; behind a proxy everything is said as HTML. */
static enum engine_meaning of_http_status(long status)
{
    if (status == UNAUTHORIZED || status == FORBIDDEN) {
        return ENGINE_DENIED;
    }
    return status == NOT_FOUND || status == METHOD_NOT_ALLOWED ? ENGINE_MISFIT : ENGINE_AGAIN;
}

enum engine_meaning engine_of_reply(const struct http_reply *r)
{
    switch (r->fault) {
    case WEB_FAULT_NONE:
        return ENGINE_YES;
    case WEB_FAULT_CONNECT:
    case WEB_FAULT_TIMEOUT:
    case WEB_FAULT_CLOSED:
        return ENGINE_GONE;
    case WEB_FAULT_STATUS:
        return of_http_status(r->status);
    case WEB_FAULT_BUSY:
        return ENGINE_AGAIN;
    case WEB_FAULT_TOO_LARGE:
    case WEB_FAULT_GARBAGE:
    case WEB_FAULT_WRONG_ID:
    case WEB_FAULT_ERROR:
    case WEB_FAULT_WRONG_CHAIN:
    case WEB_FAULT_CONTRADICTS:
    case WEB_FAULTS:
        break;
    }
    return ENGINE_NONSENSE;
}

/* JSON-RPC 2.0, 5.1, and execution-apis, engine/common.md. Unknown payload (-38001; ethereumjs says
 * -32001) is of the moment: the build is asked for anew. */
enum engine_meaning engine_of_error(int64_t code)
{
    switch (code) {
    case -32600: /* invalid request */
    case -32601: /* no such method */
    case -32602: /* invalid parameters */
    case -32700: /* parse error */
    case -38003: /* invalid payload attributes */
    case -38004: /* request too large */
    case -38005: /* unsupported fork */
        return ENGINE_MISFIT;
    default:
        return ENGINE_AGAIN;
    }
}

bool engine_own_failure(const char *text)
{
    static const char *const own[] = {
        "missing trie node", "unknown ancestor",  "pruned ancestor", "state not available",
        "chain stopped",     "interrupted",       "database",        "leveldb",
        "pebble",            "no space left",     "too many open",   "out of memory",
        "context canceled",  "deadline exceeded", "timed out",       "did not execute",
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (strcasestr(text, own[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* VALID names the block that it is said of; of another block it is said of nothing. */
static enum engine_meaning of_valid(struct json_object *status, const struct hash *payload)
{
    struct hash h;
    struct json_object *latest = json_get(status, "latestValidHash");
    bool same = json_fixed(latest, h.b, sizeof h.b) && hash_equal(&h, payload);
    return same ? ENGINE_YES : ENGINE_NONSENSE;
}

enum engine_meaning engine_of_status(struct json_object *status, const struct hash *payload,
                                     const char **why)
{
    const char *word = json_text(json_get(status, "status"));
    const char *text = json_text(json_get(status, "validationError"));
    *why = text == NULL ? "" : text;
    if (word == NULL) {
        return ENGINE_NONSENSE;
    }
    if (strcmp(word, "VALID") == 0) {
        return of_valid(status, payload);
    }
    if (strcmp(word, "INVALID") == 0 || strcmp(word, "INVALID_BLOCK_HASH") == 0) {
        return engine_own_failure(*why) ? ENGINE_AGAIN : ENGINE_NO;
    }
    bool behind = strcmp(word, "SYNCING") == 0 || strcmp(word, "ACCEPTED") == 0;
    return behind ? ENGINE_BEHIND : ENGINE_NONSENSE;
}
