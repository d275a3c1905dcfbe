/* HTTP: whatever comes, answers are HTTP, and they do not depend on how the bytes were cut. */
#include "tests/fuzz/http_pipe.h"

static bool begins(const struct text *t, const char *word)
{
    size_t n = strlen(word);
    return t->n >= n && memcmp(t->p, word, n) == 0;
}

void fuzz_http(struct bytes in)
{
    uint8_t how = script_u8(&in);
    size_t piece = 1 + script_u8(&in);
    struct text whole = http_pipe(bytes_of("", 0), in, SIZE_MAX, how);
    struct text cut = http_pipe(bytes_of("", 0), in, piece, how);
    DEMAND(whole.n == 0 || begins(&whole, "HTTP/1.1 "));
    DEMAND(whole.n == cut.n);
    DEMAND(whole.n == 0 || memcmp(whole.p, cut.p, whole.n) == 0);
    text_free(&whole);
    text_free(&cut);
}
