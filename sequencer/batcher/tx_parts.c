#include "sequencer/batcher/tx_parts.h"

#include "proto/rlp.h"

/* Field 12 of a span batch: the order in which the sender's wishes stand there. */
static const enum tx_part data_order[] = {PART_VALUE, PART_TIP,    PART_PRICE,
                                          PART_DATA,  PART_ACCESS, PART_AUTHORISATIONS};
static const enum tx_part raw_order[TX_PARTS] = {
    PART_CHAIN, PART_NONCE, PART_TIP,    PART_PRICE,          PART_GAS, PART_TO, PART_VALUE,
    PART_DATA,  PART_ACCESS, PART_AUTHORISATIONS, PART_V,   PART_R,  PART_S};
enum { DATA_PARTS = sizeof data_order / sizeof data_order[0], LIST_HEAD = 9 };

bool tx_parts_type_known(uint8_t type)
{
    return type <= TX_FEE_MARKET || type == TX_SET_CODE;
}

static bool has_part(uint8_t type, enum tx_part part)
{
    if (part == PART_CHAIN || part == PART_ACCESS) {
        return type != TX_LEGACY;
    }
    if (part == PART_TIP) {
        return type >= TX_FEE_MARKET;
    }
    return part != PART_AUTHORISATIONS || type == TX_SET_CODE;
}

static enum err check_slots(struct rlp_in *entry)
{
    struct rlp_in slots;
    uint8_t slot[32];
    TRY(rlp_list(entry, &slots));
    while (!rlp_at_end(&slots)) {
        TRY(rlp_fixed(&slots, slot, sizeof slot));
    }
    return rlp_at_end(entry) ? OK : ERR_MALFORMED;
}

enum err tx_parts_check_access(struct rlp_in *in)
{
    struct rlp_in list;
    struct rlp_in entry;
    uint8_t address[20];
    TRY(rlp_list(in, &list));
    while (!rlp_at_end(&list)) {
        TRY(rlp_list(&list, &entry));
        TRY(rlp_fixed(&entry, address, sizeof address));
        TRY(check_slots(&entry));
    }
    return OK;
}

/* EIP-7702: [[chain id, address, nonce, y parity, r, s], …]. */
static enum err check_authorisations(struct rlp_in *in)
{
    struct rlp_in list;
    struct rlp_in entry;
    struct u256 wide;
    uint64_t number;
    uint8_t address[20];
    TRY(rlp_list(in, &list));
    while (!rlp_at_end(&list)) {
        TRY(rlp_list(&list, &entry));
        TRY(rlp_u256(&entry, &wide));
        TRY(rlp_fixed(&entry, address, sizeof address));
        TRY(rlp_u64(&entry, &number));
        TRY(rlp_u64(&entry, &number));
        if (number > UINT8_MAX) {
            return ERR_MALFORMED;
        }
        TRY(rlp_u256(&entry, &wide));
        TRY(rlp_u256(&entry, &wide));
        if (!rlp_at_end(&entry)) {
            return ERR_MALFORMED;
        }
    }
    return OK;
}

static enum err check_to(struct rlp_in *in, uint8_t type)
{
    struct bytes to;
    TRY(rlp_string(in, &to));
    bool none = to.n == 0 && type != TX_SET_CODE;
    return none || to.n == sizeof(struct address) ? OK : ERR_MALFORMED;
}

static enum err check_part(struct rlp_in *in, uint8_t type, enum tx_part part)
{
    struct u256 wide;
    struct bytes text;
    uint64_t number;
    switch (part) {
    case PART_CHAIN:
    case PART_NONCE:
    case PART_GAS:
    case PART_V:
        return rlp_u64(in, &number);
    case PART_TIP:
    case PART_PRICE:
    case PART_VALUE:
    case PART_R:
    case PART_S:
        return rlp_u256(in, &wide);
    case PART_TO:
        return check_to(in, type);
    case PART_DATA:
        return rlp_string(in, &text);
    case PART_ACCESS:
        return tx_parts_check_access(in);
    case PART_AUTHORISATIONS:
        return check_authorisations(in);
    case TX_PARTS:
        break;
    }
    return ERR_INVARIANT;
}

/* One list of these parts, nothing before or behind it. */
static enum err split(struct tx_parts *out, struct bytes in, const enum tx_part *order, size_t n)
{
    struct rlp_in whole = {in.p, in.n};
    struct rlp_in list;
    *out = (struct tx_parts){.type = TX_LEGACY};
    if (in.n > 0 && in.p[0] <= TX_TYPE_MAX) {
        out->type = in.p[0];
        whole = (struct rlp_in){in.p + 1, in.n - 1};
        if (out->type == TX_LEGACY || !tx_parts_type_known(out->type)) {
            return ERR_MALFORMED;
        }
    }
    TRY(rlp_list(&whole, &list));
    for (size_t i = 0; i < n; i++) {
        if (!has_part(out->type, order[i])) {
            continue;
        }
        const uint8_t *start = list.p;
        TRY(check_part(&list, out->type, order[i]));
        out->item[order[i]] = bytes_of(start, (size_t)(list.p - start));
    }
    return rlp_at_end(&list) && rlp_at_end(&whole) ? OK : ERR_MALFORMED;
}

static void join(struct buffer *out, const struct tx_parts *t, const enum tx_part *order, size_t n)
{
    size_t room = 1 + LIST_HEAD;
    for (size_t i = 0; i < n; i++) {
        room += t->item[order[i]].n;
    }
    uint8_t *to = buffer_room(out, room);
    if (to == NULL) {
        return;
    }
    struct rlp_out rlp = {.p = to, .cap = room};
    if (t->type != TX_LEGACY) {
        rlp_put_raw(&rlp, &t->type, 1);
    }
    size_t mark = rlp_list_begin(&rlp);
    for (size_t i = 0; i < n; i++) {
        rlp_put_raw(&rlp, t->item[order[i]].p, t->item[order[i]].n);
    }
    rlp_list_end(&rlp, mark);
    out->n += rlp.n;
}

enum err tx_parts_split(struct tx_parts *out, struct bytes raw)
{
    return split(out, raw, raw_order, TX_PARTS);
}

void tx_parts_join(struct buffer *out, const struct tx_parts *t)
{
    join(out, t, raw_order, TX_PARTS);
}

enum err tx_parts_split_data(struct tx_parts *out, struct bytes data)
{
    return split(out, data, data_order, DATA_PARTS);
}

void tx_parts_join_data(struct buffer *out, const struct tx_parts *t)
{
    join(out, t, data_order, DATA_PARTS);
}
