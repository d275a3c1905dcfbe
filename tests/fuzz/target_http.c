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

/* A request that is wrong in two ways may be refused for either. */
static void check_same(const struct text *whole, const struct text *cut)
{
    if (whole->n == cut->n && (whole->n == 0 || memcmp(whole->p, cut->p, whole->n) == 0)) {
        return;
    }
    size_t at = last_answer(whole);
    DEMAND(at == last_answer(cut) && (at == 0 || memcmp(whole->p, cut->p, at) == 0));
    DEMAND(refuses(whole, at) && refuses(cut, at));
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
