/* System sections: the walks give as many entries as were counted, and they encode to the section
 * again where it holds nothing that the encoder leaves to others. */
#include "proto/limits.h"
#include "proto/vote.h"
#include "tests/fuzz/fuzz.h"

enum { MOST = LIMIT_SYSTEM_BYTES / 3 };

/* Of a pair one order counts: sorted it is in it, and sorting again changes nothing. */
static void check_evidence(const struct evidence *e)
{
    struct evidence sorted = *e;
    bool good = evidence_check_form(fuzz_epoch(), e) == OK;
    evidence_sort(&sorted);
    DEMAND(!good || memcmp(&sorted, e, sizeof sorted) == 0);
    struct evidence again = sorted;
    evidence_sort(&again);
    DEMAND(memcmp(&sorted, &again, sizeof sorted) == 0);
}

void fuzz_system(struct bytes in)
{
    static struct skipped_turn skipped[MOST];
    static struct ready_notice notice[MOST / 32];
    static struct leave_notice leave[MOST / 32];
    static struct evidence evidence[MOST / 32];
    struct system_section s;
    if (system_decode(&s, in) != OK) {
        return;
    }
    struct system_parts parts = {
        .skipped = skipped, .notices = notice, .leaves = leave, .evidence = evidence};
    size_t at = 0;
    while (system_next_skipped(&s, &at, &skipped[parts.skipped_n])) {
        parts.skipped_n++;
    }
    for (at = 0; system_next_notice(&s, &at, &notice[parts.notices_n]);) {
        parts.notices_n++;
    }
    for (at = 0; system_next_leave(&s, &at, &leave[parts.leaves_n]);) {
        parts.leaves_n++;
    }
    for (at = 0; system_next_evidence(&s, &at, &evidence[parts.evidence_n]);) {
        check_evidence(&evidence[parts.evidence_n++]);
    }
    DEMAND(parts.skipped_n == s.skipped_n && parts.notices_n == s.notices_n &&
           parts.leaves_n == s.leaves_n && parts.evidence_n == s.evidence_n &&
           bytes_equal(s.raw, in));
    if (s.record.n == 0) {
        size_t n = 0;
        uint8_t *again = fuzz_room(LIMIT_SYSTEM_BYTES);
        DEMAND(system_encode(again, LIMIT_SYSTEM_BYTES, &n, &parts) == OK);
        DEMAND(bytes_equal(bytes_of(again, n), in));
    }
}
