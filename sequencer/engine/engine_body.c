#include "sequencer/engine/engine_body.h"

#include <stdlib.h>

#include "proto/body.h"
#include "proto/keccak.h"
#include "proto/rlp.h"

enum {
    FORM_CANCUN = 3,
    FORM_PRAGUE = 4,
    BLOB_TX = 3,          /* EIP-4844 */
    FIXED_ROOM = 640,     /* all fields but transactions and requests, with every prefix */
    REQUEST_PREFIX = 9,   /* longest prefix of a string */
    FIELDS_BEFORE_TXS = 8 /* of the body's list */
};

uint64_t engine_form(enum engine_fork fork)
{
    return fork == ENGINE_CANCUN ? FORM_CANCUN : FORM_PRAGUE;
}

bool engine_tx_allowed(struct bytes raw)
{
    return raw.n > 0 && raw.n <= LIMIT_TX_BYTES && raw.p[0] != BLOB_TX;
}

/* EIP-7685: kinds ascend, none is without data. */
bool engine_requests_ordered(const struct bytes *request, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (request[i].n < 2 || (i > 0 && request[i].p[0] <= request[i - 1].p[0])) {
            return false;
        }
    }
    return true;
}

struct hash engine_randao(const struct hash *parent, uint64_t timestamp_ms)
{
    uint8_t in[sizeof parent->b + 8];
    memcpy(in, parent->b, sizeof parent->b);
    store_be64(in + sizeof parent->b, timestamp_ms);
    return keccak256(in, sizeof in);
}

uint64_t engine_seconds(uint64_t timestamp_ms, uint64_t parent_s)
{
    uint64_t s = timestamp_ms / 1000;
    return s > parent_s ? s : parent_s + 1;
}

/* body.h looks at the form, this at what kinds of transactions there are. */
static enum err check_txs(struct bytes list)
{
    struct rlp_in in = {list.p, list.n};
    struct rlp_in items;
    TRY(rlp_list(&in, &items));
    while (!rlp_at_end(&items)) {
        struct bytes tx;
        TRY(rlp_string(&items, &tx));
        if (!engine_tx_allowed(tx)) {
            return ERR_INVALID_BLOCK;
        }
    }
    return OK;
}

static enum err read_requests(struct engine_payload *out, struct rlp_in *in, uint64_t form)
{
    struct rlp_in items;
    TRY(rlp_list(in, &items));
    out->requests = 0;
    while (!rlp_at_end(&items)) {
        if (out->requests == LIMIT_ENGINE_REQUESTS) {
            return ERR_TOO_LARGE;
        }
        TRY(rlp_string(&items, &out->request[out->requests++]));
    }
    if ((form == FORM_CANCUN && out->requests > 0) ||
        !engine_requests_ordered(out->request, out->requests)) {
        return ERR_INVALID_BLOCK;
    }
    return OK;
}

static enum err read_extra(struct engine_payload *out, struct rlp_in *in)
{
    struct bytes extra;
    TRY(rlp_string(in, &extra));
    if (extra.n > sizeof out->extra) {
        return ERR_INVALID_BLOCK;
    }
    memcpy(out->extra, extra.p, extra.n);
    out->extra_n = extra.n;
    return OK;
}

static enum err read_fields(struct engine_payload *out, struct rlp_in *in)
{
    TRY(rlp_u64(in, &out->timestamp));
    TRY(rlp_fixed(in, out->receipts_root.b, sizeof out->receipts_root.b));
    TRY(rlp_fixed(in, out->logs_bloom, sizeof out->logs_bloom));
    TRY(rlp_u64(in, &out->gas_limit));
    TRY(rlp_u64(in, &out->gas_used));
    TRY(read_extra(out, in));
    return rlp_u256(in, &out->base_fee);
}

enum err engine_body_decode(struct engine_payload *out, enum engine_fork fork, struct bytes body)
{
    struct rlp_in in = {body.p, body.n};
    struct rlp_in list;
    uint64_t form;
    if (body.n > LIMIT_BODY_BYTES) {
        return ERR_TOO_LARGE;
    }
    TRY(rlp_list(&in, &list));
    if (!rlp_at_end(&in)) {
        return ERR_MALFORMED;
    }
    TRY(rlp_u64(&list, &form));
    if (form != engine_form(fork)) {
        return ERR_INVALID_BLOCK;
    }
    TRY(read_fields(out, &list));
    TRY(rlp_item(&list, &out->txs));
    TRY(body_count(out->txs, &out->tx_n));
    TRY(check_txs(out->txs));
    TRY(read_requests(out, &list, form));
    return rlp_at_end(&list) ? OK : ERR_MALFORMED;
}

enum err engine_body_txs(struct bytes body, struct bytes *txs)
{
    struct rlp_in in = {body.p, body.n};
    struct rlp_in list;
    TRY(rlp_list(&in, &list));
    for (int i = 0; i < FIELDS_BEFORE_TXS; i++) {
        TRY(rlp_item(&list, txs));
    }
    return rlp_item(&list, txs);
}

static void write_fields(struct rlp_out *rlp, const struct engine_payload *p)
{
    rlp_put_u64(rlp, p->timestamp);
    rlp_put_string(rlp, p->receipts_root.b, sizeof p->receipts_root.b);
    rlp_put_string(rlp, p->logs_bloom, sizeof p->logs_bloom);
    rlp_put_u64(rlp, p->gas_limit);
    rlp_put_u64(rlp, p->gas_used);
    rlp_put_string(rlp, p->extra, p->extra_n);
    rlp_put_u256(rlp, &p->base_fee);
}

enum err engine_body_encode(uint8_t **out, size_t *out_n, const struct engine_payload *p,
                            enum engine_fork fork)
{
    size_t room = FIXED_ROOM + p->txs.n;
    for (uint32_t i = 0; i < p->requests; i++) {
        room += p->request[i].n + REQUEST_PREFIX;
    }
    struct rlp_out rlp = {.p = malloc(room), .cap = room};
    if (rlp.p == NULL) {
        return ERR_NO_MEMORY;
    }
    size_t body = rlp_list_begin(&rlp);
    rlp_put_u64(&rlp, engine_form(fork));
    write_fields(&rlp, p);
    rlp_put_raw(&rlp, p->txs.p, p->txs.n);
    size_t list = rlp_list_begin(&rlp);
    for (uint32_t i = 0; i < p->requests; i++) {
        rlp_put_string(&rlp, p->request[i].p, p->request[i].n);
    }
    rlp_list_end(&rlp, list);
    rlp_list_end(&rlp, body);
    enum err err = rlp_finish(&rlp);
    if (err == OK && rlp.n > LIMIT_BODY_BYTES) {
        err = ERR_TOO_LARGE;
    }
    if (err != OK) {
        free(rlp.p);
        return err;
    }
    *out = rlp.p;
    *out_n = rlp.n;
    return OK;
}
