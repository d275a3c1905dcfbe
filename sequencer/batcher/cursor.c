#include "sequencer/batcher/cursor.h"

#include "proto/rlp.h"

enum { UVARINT_BYTES = 10, GROUP_BITS = 7, GROUP_MASK = 0x7f, MORE = 0x80 };

void cursor_init(struct cursor *c, struct bytes in)
{
    /* Never NULL: places are computed from it even where there is nothing. */
    *c = (struct cursor){.in = bytes_of(in.p != NULL ? (const void *)in.p : "", in.n)};
}

size_t cursor_left(const struct cursor *c)
{
    return c->in.n - c->at;
}

enum err cursor_fail(struct cursor *c, enum err e, size_t at, const char *wanted)
{
    if (c->fault.e == OK) {
        c->fault = (struct fault){e, at, wanted};
    }
    return c->fault.e;
}

enum err cursor_take(struct cursor *c, size_t n, const char *wanted, struct bytes *out)
{
    if (n > cursor_left(c)) {
        return cursor_fail(c, ERR_MALFORMED, c->at, wanted);
    }
    *out = bytes_of(c->in.p + c->at, n);
    c->at += n;
    return OK;
}

enum err cursor_byte(struct cursor *c, const char *wanted, uint8_t *out)
{
    struct bytes one;
    TRY(cursor_take(c, 1, wanted, &one));
    *out = *one.p;
    return OK;
}

enum err cursor_rlp(struct cursor *c, const char *wanted, struct bytes *out)
{
    struct rlp_in in = {c->in.p + c->at, cursor_left(c)};
    enum err e = rlp_item(&in, out);
    if (e != OK) {
        return cursor_fail(c, e, c->at, wanted);
    }
    c->at += out->n;
    return OK;
}

enum err cursor_uvarint(struct cursor *c, const char *wanted, uint64_t *out)
{
    size_t start = c->at;
    *out = 0;
    for (unsigned i = 0;; i++) {
        uint8_t b;
        TRY(cursor_byte(c, wanted, &b));
        if (i == UVARINT_BYTES - 1 && b > 1) { /* above 64 bits, or an eleventh byte announced */
            return cursor_fail(c, ERR_MALFORMED, start, "a uvarint of at most 64 bits");
        }
        *out |= (uint64_t)(b & GROUP_MASK) << (GROUP_BITS * i);
        if ((b & MORE) == 0) {
            return OK;
        }
    }
}

enum err cursor_bits(struct cursor *c, uint64_t n, const char *wanted, struct bytes *out)
{
    size_t start = c->at;
    uint64_t bytes = n / 8 + (n % 8 != 0);
    _Static_assert(sizeof(size_t) == sizeof bytes, "no count is cut short");
    TRY(cursor_take(c, (size_t)bytes, wanted, out));
    if (n % 8 != 0 && out->p[0] >> (n % 8) != 0) {
        return cursor_fail(c, ERR_MALFORMED, start, "zeros above the last bit of a list of bits");
    }
    return OK;
}
