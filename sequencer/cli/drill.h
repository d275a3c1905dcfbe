/* One chaos order carried out on a running devnet, and the outage measured as clients see it.
 *
 *   look (two heads seen) -> resolve (who leads?) -> act -> measure (heads move again) -> done
 *
 * Its own loop, its own WebSocket to every node; the longest gap counts from the last head before
 * the act. */
#ifndef SEQUENCER_CLI_DRILL_H
#define SEQUENCER_CLI_DRILL_H

#include "sequencer/cli/chaos.h"
#include "sequencer/cli/devnet_record.h"
#include "sequencer/cli/gap.h"

struct drill_result {
    int node; /* that was acted on; CHAOS_ALL */
    bool was_leader;
    double gap_ms;     /* outage over the block interval */
    double longest_ms; /* longest time between two heads */
    uint64_t interval_ms;
    uint64_t head_before;
    uint64_t head_after;
    struct json_object *answers; /* of admin_chaos, by node; null: no answer. Owned by the caller */
};

struct drill_options {
    bool wait;         /* measure */
    uint64_t after_ms; /* act so long after the first heads were seen */
    uint64_t heads;    /* new heads to see before it is over */
    uint64_t least_ms; /* measure at least so long */
    uint64_t limit_ms; /* and at most so long */
};

/* ERR_UNREACHABLE: nobody answers; ERR_REFUSED: the node refused; ERR_NOT_READY: heads do not move
 * any more. `why` gets one sentence; `out` is filled as far as it came. */
enum err drill_run(struct drill_result *out, const struct devnet_record *record,
                   const struct chaos_order *order, const struct drill_options *options, char *why,
                   size_t why_len) MUST_USE;

#endif
