/* Stored blocks: the views that come back lie inside the bytes that were read. */
#include "proto/record.h"
#include "tests/fuzz/fuzz.h"

static bool inside(struct bytes part, struct bytes whole)
{
    return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

void fuzz_block(struct bytes in)
{
    struct block b;
    size_t n = 0;
    if (stored_block_decode(&b, in) != OK) {
        return;
    }
    DEMAND(inside(b.head.system, in) && inside(b.body, in));
    size_t cap = stored_block_size(&b);
    uint8_t *again = fuzz_room(cap);
    DEMAND(stored_block_encode(again, cap, &n, &b) == OK);
    DEMAND(bytes_equal(bytes_of(again, n), in));
}
