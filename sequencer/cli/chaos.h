/* What `baton chaos` and the devnet's keys do to a node.
 *
 * Processes: kill (SIGKILL), stop (SIGSTOP), cont (SIGCONT) go to a child of the running devnet,
 * whose pid stands in DIR/devnet.json; restart is asked for at the devnet's socket.
 * `kill el N`, `stop el N`, `cont el N`: the same to node N's execution client, which the devnet
 * starts again when it ends.
 * Faults inside a node: admin_chaos on its admin port, with the bearer token of DIR/admin.token.
 * Its parameters are an array, the action first (JSON-RPC 2.0):
 *
 *   ["partition", [2, 3]]  cut the links to these members, at this end; replaces an earlier cut
 *   ["heal"]               no fault on any link any more, no skew; the client is released
 *   ["slow", 400]          what is sent to any peer is put off by so many ms; 0: no more
 *   ["drop", 30]           so many percent of frames to any peer are lost; 0: none
 *   ["stall"]              the execution client answers nothing; heartbeats go on
 *   ["unstall"]            it answers again
 *   ["skew", 5000]         the wall clock is so many ms ahead (behind where negative)
 *   ["status"]             changes nothing
 *
 * Each answers with what is in force: {"partition":[…],"slow":ms,"drop":percent,"stall":bool,
 * "skew":ms}. Members are indices of the genesis. */
#ifndef SEQUENCER_CLI_CHAOS_H
#define SEQUENCER_CLI_CHAOS_H

#include <json-c/json.h>
#include <stdbool.h>

#include "proto/error.h"
#include "proto/limits.h"

enum chaos_action {
    CHAOS_KILL = 1,
    CHAOS_STOP,
    CHAOS_CONT,
    CHAOS_RESTART,
    CHAOS_PARTITION,
    CHAOS_HEAL,
    CHAOS_SLOW,
    CHAOS_STALL,
    CHAOS_UNSTALL,
    CHAOS_DROP,
    CHAOS_SKEW,
    CHAOS_STATUS
};

enum { CHAOS_LEADER = -1, CHAOS_ALL = -2 };

struct chaos_order {
    enum chaos_action action;
    bool client;                   /* kill, stop, cont: the node's execution client */
    int node;                      /* index, CHAOS_LEADER or CHAOS_ALL */
    int64_t value;                 /* ms or percent */
    uint32_t group[LIMIT_MEMBERS]; /* partition: the group of each node */
};

/* Reads the words after `baton chaos` ("kill leader", "partition 0,1/2,3", "slow 2 400ms") for a
 * set of `nodes`. ERR_USAGE with a sentence in `why`. */
enum err chaos_parse(struct chaos_order *out, const char *const *word, size_t n, uint32_t nodes,
                     char *why, size_t why_len) MUST_USE;
const char *chaos_name(enum chaos_action action);
/* admin_chaos parameters for `node`; the caller owns the object. NULL for actions on processes. */
struct json_object *chaos_params(const struct chaos_order *order, uint32_t nodes, uint32_t node);

#endif
