/* Every message of the wire: what decodes encodes to the same bytes, into a buffer as large as
 * message_size says, and lies within the bounds of its kind. */
#include "proto/message.h"
#include "tests/fuzz/fuzz.h"

enum { SMALL = 4096 };

void fuzz_message(struct bytes in)
{
    static struct message_arena arena;
    struct message m;
    size_t n = 0;
    if (in.n > SMALL) { /* how much memory there is must not depend on what came before */
        message_arena_free(&arena);
    }
    if (message_decode(&m, &arena, in) != OK) {
        return;
    }
    size_t cap = message_size(&m);
    uint8_t *again = fuzz_room(cap);
    DEMAND(in.n <= message_limit(m.kind));
    DEMAND(message_lane(m.kind) < LANE_COUNT);
    DEMAND(message_encode(again, cap, &n, &m) == OK);
    DEMAND(bytes_equal(bytes_of(again, n), in));
    DEMAND(n == 0 || message_encode(again, n - 1, &cap, &m) != OK);
    message_arena_reset(&arena);
}
