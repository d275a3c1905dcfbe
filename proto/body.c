#include "proto/body.h"

#include "proto/limits.h"
#include "proto/rlp.h"

enum err body_count(struct bytes body, uint32_t *out_n)
{
    struct rlp_in in = {body.p, body.n};
    struct rlp_in list;
    uint32_t n = 0;
    if (body.n > LIMIT_BODY_BYTES) {
        return ERR_TOO_LARGE;
    }
    *out_n = 0;
    TRY(rlp_list(&in, &list));
    if (!rlp_at_end(&in)) {
        return ERR_MALFORMED;
    }
    while (!rlp_at_end(&list)) {
        struct bytes tx;
        TRY(rlp_string(&list, &tx));
        if (tx.n == 0) {
            return ERR_MALFORMED;
        }
        if (tx.n > LIMIT_TX_BYTES || n == LIMIT_BODY_TXS) {
            return ERR_TOO_LARGE;
        }
        n++;
    }
    *out_n = n;
    return OK;
}

void body_split(struct bytes body, struct bytes *out, uint32_t n)
{
    struct rlp_in in = {body.p, body.n};
    struct rlp_in list = {0};
    enum err e = rlp_list(&in, &list); /* body_count has read the same bytes */
    for (uint32_t i = 0; i < n; i++) {
        out[i] = bytes_of(NULL, 0);
        e = e == OK ? rlp_string(&list, &out[i]) : e;
    }
}

/* Bytes of a prefix before a payload of `n` bytes that is no single small byte. */
static size_t prefix_size(size_t n)
{
    size_t size = 1;
    for (size_t rest = n > 55 ? n : 0; rest > 0; rest >>= 8) {
        size++;
    }
    return size;
}

static size_t payload_size(const struct bytes *tx, uint32_t n)
{
    size_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        bool bare = tx[i].n == 1 && tx[i].p[0] < 0x80;
        sum += tx[i].n + (bare ? 0 : prefix_size(tx[i].n));
    }
    return sum;
}

size_t body_size(const struct bytes *tx, uint32_t n)
{
    size_t payload = payload_size(tx, n);
    return payload + prefix_size(payload);
}

void body_write(uint8_t *out, const struct bytes *tx, uint32_t n)
{
    struct rlp_out rlp = {.p = out, .cap = body_size(tx, n)};
    size_t mark = rlp_list_begin(&rlp);
    for (uint32_t i = 0; i < n; i++) {
        rlp_put_string(&rlp, tx[i].p, tx[i].n);
    }
    rlp_list_end(&rlp, mark);
}
