/* RLP: what is read is written to the same bytes, however deep. */
#include "proto/rlp.h"
#include "tests/fuzz/fuzz.h"

enum { DEPTH = 48 };

/* What the readers of one form say of an item must agree with the item. */
static void check_string(struct bytes item, struct rlp_out *out)
{
    uint8_t fixed[32];
    uint8_t raw[40];
    uint64_t number;
    struct u256 wide;
    struct bytes s;
    struct rlp_in in = {item.p, item.n};
    DEMAND(rlp_string(&in, &s) == OK && rlp_at_end(&in));
    rlp_put_string(out, s.p, s.n);
    in = (struct rlp_in){item.p, item.n};
    DEMAND((rlp_fixed(&in, fixed, sizeof fixed) == OK) == (s.n == sizeof fixed));
    struct rlp_out again = {.p = raw, .cap = sizeof raw};
    in = (struct rlp_in){item.p, item.n};
    if (rlp_u64(&in, &number) == OK) {
        rlp_put_u64(&again, number);
        DEMAND(bytes_equal(bytes_of(raw, again.n), item));
    }
    again.n = 0;
    in = (struct rlp_in){item.p, item.n};
    if (rlp_u256(&in, &wide) == OK) {
        rlp_put_u256(&again, &wide);
        DEMAND(rlp_finish(&again) == OK && bytes_equal(bytes_of(raw, again.n), item));
    }
}

static bool walk(struct rlp_in in, struct rlp_out *out, int depth)
{
    while (!rlp_at_end(&in)) {
        struct rlp_in peek = in;
        struct rlp_in list;
        struct bytes item;
        bool is_list = rlp_next_is_list(&in);
        if (rlp_item(&in, &item) != OK) {
            DEMAND(rlp_list(&peek, &list) != OK);
            return false;
        }
        if (!is_list) {
            check_string(item, out);
            continue;
        }
        DEMAND(rlp_string(&peek, &item) == ERR_MALFORMED);
        DEMAND(rlp_list(&peek, &list) == OK && peek.p == in.p);
        if (depth == 0) {
            rlp_put_raw(out, item.p, item.n);
            continue;
        }
        size_t mark = rlp_list_begin(out);
        if (!walk(list, out, depth - 1)) {
            return false;
        }
        rlp_list_end(out, mark);
    }
    return true;
}

void fuzz_rlp(struct bytes in)
{
    struct rlp_out out = {.p = fuzz_room(in.n + 1), .cap = in.n};
    if (walk((struct rlp_in){in.p, in.n}, &out, DEPTH)) {
        DEMAND(rlp_finish(&out) == OK);
        DEMAND(bytes_equal(bytes_of(out.p, out.n), in));
        if (in.n > 0) {
            struct rlp_out small = {.p = out.p, .cap = in.n - 1};
            rlp_put_raw(&small, in.p, in.n);
            DEMAND(rlp_finish(&small) == ERR_TOO_LARGE);
        }
    }
}
