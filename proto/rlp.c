#include "proto/rlp.h"

/* Prefix bytes: below SHORT_STRING a byte is its own string; each kind has a short form (length
 * up to 55 in the prefix) and a long form (length of the length in the prefix). */
enum {
    SHORT_STRING = 0x80,
    LONG_STRING = 0xb7,
    SHORT_LIST = 0xc0,
    LONG_LIST = 0xf7,
    SHORT_MAX = 55
};

struct item {
    size_t prefix; /* bytes before the payload */
    size_t payload;
    bool list;
};

/* The length of a long form, stated in `width` bytes: without leading zeros, and above 55. */
static enum err long_length(const struct rlp_in *in, size_t width, size_t *out)
{
    if (width >= in->n || width > sizeof(uint64_t)) {
        return ERR_MALFORMED;
    }
    uint64_t length = 0;
    for (size_t i = 1; i <= width; i++) {
        length = length << 8 | in->p[i];
    }
    if (in->p[1] == 0 || length <= SHORT_MAX) {
        return ERR_NOT_CANONICAL;
    }
    if (length > in->n - 1 - width) {
        return ERR_MALFORMED;
    }
    *out = (size_t)length;
    return OK;
}

static enum err next(const struct rlp_in *in, struct item *out)
{
    if (in->n == 0) {
        return ERR_MALFORMED;
    }
    uint8_t first = in->p[0];
    *out = (struct item){.prefix = 1, .list = first >= SHORT_LIST};
    if (first < SHORT_STRING) {
        *out = (struct item){.prefix = 0, .payload = 1};
        return OK;
    }
    unsigned base = out->list ? SHORT_LIST : SHORT_STRING;
    if (first - base > SHORT_MAX) {
        size_t width = first - base - SHORT_MAX;
        out->prefix += width;
        return long_length(in, width, &out->payload);
    }
    out->payload = first - base;
    if (out->payload > in->n - 1) {
        return ERR_MALFORMED;
    }
    bool bare = !out->list && out->payload == 1 && in->p[1] < SHORT_STRING;
    return bare ? ERR_NOT_CANONICAL : OK;
}

static void advance(struct rlp_in *in, const struct item *item)
{
    in->p += item->prefix + item->payload;
    in->n -= item->prefix + item->payload;
}

bool rlp_at_end(const struct rlp_in *in)
{
    return in->n == 0;
}

bool rlp_next_is_list(const struct rlp_in *in)
{
    return in->n > 0 && in->p[0] >= SHORT_LIST;
}

enum err rlp_string(struct rlp_in *in, struct bytes *out)
{
    struct item item;
    TRY(next(in, &item));
    if (item.list) {
        return ERR_MALFORMED;
    }
    *out = bytes_of(in->p + item.prefix, item.payload);
    advance(in, &item);
    return OK;
}

enum err rlp_list(struct rlp_in *in, struct rlp_in *out)
{
    struct item item;
    TRY(next(in, &item));
    if (!item.list) {
        return ERR_MALFORMED;
    }
    *out = (struct rlp_in){in->p + item.prefix, item.payload};
    advance(in, &item);
    return OK;
}

enum err rlp_item(struct rlp_in *in, struct bytes *out)
{
    struct item item;
    TRY(next(in, &item));
    *out = bytes_of(in->p, item.prefix + item.payload);
    advance(in, &item);
    return OK;
}

enum err rlp_fixed(struct rlp_in *in, uint8_t *out, size_t n)
{
    struct bytes s;
    TRY(rlp_string(in, &s));
    if (s.n != n) {
        return ERR_MALFORMED;
    }
    memcpy(out, s.p, n);
    return OK;
}

static enum err number(struct rlp_in *in, size_t max, struct bytes *out)
{
    TRY(rlp_string(in, out));
    if (out->n > max) {
        return ERR_MALFORMED;
    }
    return out->n > 0 && out->p[0] == 0 ? ERR_NOT_CANONICAL : OK;
}

enum err rlp_u64(struct rlp_in *in, uint64_t *out)
{
    struct bytes s;
    TRY(number(in, sizeof *out, &s));
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        v = v << 8 | s.p[i];
    }
    *out = v;
    return OK;
}

enum err rlp_u256(struct rlp_in *in, struct u256 *out)
{
    struct bytes s;
    TRY(number(in, 32, &s));
    *out = u256_from_be(s.p, s.n);
    return OK;
}

void rlp_put_raw(struct rlp_out *out, const void *p, size_t n)
{
    if (out->overflow || n > out->cap - out->n) {
        out->overflow = true;
        return;
    }
    if (n > 0) {
        memcpy(out->p + out->n, p, n);
        out->n += n;
    }
}

/* Writes the prefix of a payload of `n` bytes; at most 9 bytes. */
static size_t prefix(uint8_t head[9], unsigned base, size_t n)
{
    if (n <= SHORT_MAX) {
        head[0] = (uint8_t)(base + n);
        return 1;
    }
    uint8_t be[8];
    store_be64(be, n);
    size_t zeros = 0;
    while (be[zeros] == 0) {
        zeros++;
    }
    head[0] = (uint8_t)(base + SHORT_MAX + 8 - zeros);
    memcpy(head + 1, be + zeros, 8 - zeros);
    return 9 - zeros;
}

void rlp_put_string(struct rlp_out *out, const void *p, size_t n)
{
    if (n == 1 && *(const uint8_t *)p < SHORT_STRING) {
        rlp_put_raw(out, p, 1);
        return;
    }
    uint8_t head[9];
    rlp_put_raw(out, head, prefix(head, SHORT_STRING, n));
    rlp_put_raw(out, p, n);
}

void rlp_put_u64(struct rlp_out *out, uint64_t v)
{
    struct u256 wide = u256_from_u64(v);
    rlp_put_u256(out, &wide);
}

void rlp_put_u256(struct rlp_out *out, const struct u256 *v)
{
    uint8_t be[32];
    unsigned n = u256_byte_len(v);
    u256_to_be(be, v);
    rlp_put_string(out, be + (32 - n), n);
}

size_t rlp_list_begin(const struct rlp_out *out)
{
    return out->n;
}

void rlp_list_end(struct rlp_out *out, size_t mark)
{
    if (out->overflow) {
        return;
    }
    uint8_t head[9];
    size_t payload = out->n - mark;
    size_t width = prefix(head, SHORT_LIST, payload);
    if (width > out->cap - out->n) {
        out->overflow = true;
        return;
    }
    memmove(out->p + mark + width, out->p + mark, payload);
    memcpy(out->p + mark, head, width);
    out->n += width;
}

enum err rlp_finish(const struct rlp_out *out)
{
    return out->overflow ? ERR_TOO_LARGE : OK;
}
