/* Bodies of blocks. */
#include "proto/body.h"
#include "proto/limits.h"
#include "tests/fuzz/fuzz.h"

void fuzz_body(struct bytes in)
{
    static struct bytes tx[LIMIT_BODY_TXS];
    uint32_t n = 0;
    if (body_count(in, &n) != OK) {
        return;
    }
    DEMAND(n <= LIMIT_BODY_TXS);
    body_split(in, tx, n);
    for (uint32_t i = 0; i < n; i++) {
        DEMAND(tx[i].n <= LIMIT_TX_BYTES && tx[i].p >= in.p && tx[i].p + tx[i].n <= in.p + in.n);
    }
    DEMAND(body_size(tx, n) == in.n);
    uint8_t *again = fuzz_room(in.n);
    body_write(again, tx, n);
    DEMAND(bytes_equal(bytes_of(again, in.n), in));
}
