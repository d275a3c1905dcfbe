/* Block headers. */
#include "proto/header.h"
#include "proto/keccak.h"
#include "tests/fuzz/fuzz.h"

void fuzz_header(struct bytes in)
{
    struct header h;
    uint8_t again[HEADER_BYTES];
    if (header_decode(&h, in) != OK) {
        return;
    }
    header_encode(again, &h);
    DEMAND(bytes_equal(bytes_of(again, sizeof again), in));
    struct hash hash = header_hash(&h);
    struct hash own = keccak256(in.p, in.n);
    DEMAND(hash_equal(&hash, &own));
}
