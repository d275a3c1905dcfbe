#define _GNU_SOURCE
/* HTTP: whatever comes, answers are HTTP, and they do not depend on how the bytes were cut. */
#include "tests/fuzz/http_pipe.h"

static bool begins(const struct text *t, const char *word)
{
    size_t n = strlen(word);
    return t->n >= n && memcmp(t->p, word, n) == 0;
}

/* Where the last answer begins. */
static size_t last_answer(const struct text *t)
{
    static const char mark[] = "HTTP/1.1 ";
    size_t at = 0;
    for (size_t i = 0; i + sizeof mark - 1 <= t->n; i++) {
        at = memcmp(t->p + i, mark, sizeof mark - 1) == 0 ? i : at;
    }
    return at;
}

static bool refuses(const struct text *t, size_t at)
{
    static const char mark[] = "HTTP/1.1 4";
    static const char last[] = "Connection: close\r\n";
    return t->n - at > sizeof mark && memcmp(t->p + at, mark, sizeof mark - 1) == 0 &&
           memmem(t->p + at, t->n - at, last, sizeof last - 1) != NULL;
}

/* A WebSocket that the server closed. Frames of a server: FIN and opcode, length, no mask. */
static bool closes(const struct text *t, size_t at)
{
    static const char mark[] = "HTTP/1.1 101";
    static const char end[] = "\r\n\r\n";
    const uint8_t *head = memmem(t->p + at, t->n - at, end, sizeof end - 1);
    if (t->n - at < sizeof mark || memcmp(t->p + at, mark, sizeof mark - 1) != 0 || head == NULL) {
        return false;
    }
    bool closed = false;
    size_t i = (size_t)(head - (const uint8_t *)t->p) + sizeof end - 1;
    while (i + 2 <= t->n && !closed) {
        const uint8_t *f = (const uint8_t *)t->p + i;
        size_t n = f[1] == 126 && i + 4 <= t->n ? 2 + ((size_t)f[2] << 8 | f[3]) : f[1];
        closed = f[0] == 0x88;
        i += 2 + n;
    }
    return closed && i == t->n;
}

/* A request that is wrong in two ways may be refused for either. What a connection was still owed
 * when it broke the protocol, pongs say, may have left before that or not. */
static void check_same(const struct text *whole, const struct text *cut)
{
    if (whole->n == cut->n && (whole->n == 0 || memcmp(whole->p, cut->p, whole->n) == 0)) {
        return;
    }
    size_t at = last_answer(whole);
    DEMAND(at == last_answer(cut) && (at == 0 || memcmp(whole->p, cut->p, at) == 0));
    DEMAND((refuses(whole, at) && refuses(cut, at)) || (closes(whole, at) && closes(cut, at)));
}

void fuzz_http(struct bytes in)
{
    uint8_t how = script_u8(&in);
    size_t piece = 1 + script_u8(&in);
    struct text whole = http_pipe(bytes_of("", 0), in, SIZE_MAX, how);
    struct text cut = http_pipe(bytes_of("", 0), in, piece, how);
    DEMAND(whole.n == 0 || begins(&whole, "HTTP/1.1 "));
    check_same(&whole, &cut);
    text_free(&whole);
    text_free(&cut);
}
