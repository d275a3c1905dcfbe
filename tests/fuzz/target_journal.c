/* Journal steps, and the votes in them. */
#include "proto/record.h"
#include "tests/fuzz/fuzz.h"

static void check_vote(struct vote v)
{
    const struct epoch_config *epoch = fuzz_epoch();
    if (vote_verify(epoch, &v) != OK) {
        return;
    }
    v.slot++;
    DEMAND(vote_verify(epoch, &v) != OK);
    v.kind = 0;
    DEMAND(vote_verify(epoch, &v) != OK);
}

void fuzz_journal(struct bytes in)
{
    static struct message_arena arena;
    struct journal_step step;
    size_t n = 0;
    if (journal_step_decode(&step, &arena, in) != OK) {
        return;
    }
    DEMAND(step.votes <= LIMIT_STEP_VOTES && step.certs <= LIMIT_BUNDLE_CERTS);
    size_t cap = journal_step_size(&step);
    uint8_t *again = fuzz_room(cap);
    DEMAND(journal_step_encode(again, cap, &n, &step) == OK);
    DEMAND(bytes_equal(bytes_of(again, n), in));
    for (uint32_t i = 0; i < step.votes && i < 2; i++) {
        check_vote(step.vote[i]);
    }
    message_arena_reset(&arena);
}
