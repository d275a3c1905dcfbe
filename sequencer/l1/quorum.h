/* Which block is the L1's head, out of what N endpoints say, of whom fewer than half may be wrong,
 * late or dead. Pure: no I/O, no clock, no allocation.
 *
 * Of each endpoint a window of headers is kept that link by parent hash from its head downwards;
 * it is the endpoint's word for every number in it. The head is the highest block that Q windows
 * hold. Where a window does not reach down to the number in question, its next parent is wanted.
 *
 *   number   A      B      C            Q = 2: C has not reached 8; at 8 A and B differ;
 *     8      a8     b8      .           at 7 A and C agree, and B's window would be asked down
 *     7      a7     ?      a7           only if they did not.
 *
 * An endpoint is left out while its last answer was a failure (quorum_lost), while it contradicts
 * itself, and after its head went back by more than 64 blocks, until it is forgiven or is back. */
#ifndef SEQUENCER_L1_QUORUM_H
#define SEQUENCER_L1_QUORUM_H

#include "proto/limits.h"
#include "sequencer/l1/l1.h"

enum { QUORUM_WINDOW = 128, QUORUM_FINALIZED = 16, QUORUM_DEPTH = 64 };

struct quorum_window {
    struct l1_header h[QUORUM_WINDOW]; /* oldest first, each the parent of the next */
    uint32_t n;
};

struct quorum_endpoint {
    struct quorum_window w;
    uint64_t highest;   /* number ever */
    bool answers;       /* its last poll was answered */
    bool contradicts;   /* its head's parent is not to be had from it */
    bool went_back;
    struct l1_ref finalized[QUORUM_FINALIZED]; /* ring: what it called finalized */
    uint32_t finalized_n;
};

struct quorum {
    uint32_t n;
    uint32_t needed; /* Q = n / 2 + 1 */
    struct quorum_endpoint e[LIMIT_L1_ENDPOINTS];
    bool known;
    struct l1_header head;
    bool has_finalized;
    struct l1_ref finalized;
};

/* What to ask of an endpoint: the header of this hash, then quorum_parent. */
struct quorum_wants {
    bool any[LIMIT_L1_ENDPOINTS];
    struct hash parent[LIMIT_L1_ENDPOINTS];
};

void quorum_init(struct quorum *q, uint32_t endpoints);
/* Its present head. False: it went back by more than QUORUM_DEPTH and is left out. */
bool quorum_head(struct quorum *q, uint32_t i, const struct l1_header *h);
void quorum_says_finalized(struct quorum *q, uint32_t i, const struct l1_ref *r);
/* The header below its window. False: it is not the one; quorum_contradiction says the rest. */
bool quorum_parent(struct quorum *q, uint32_t i, const struct l1_header *h);
void quorum_contradiction(struct quorum *q, uint32_t i);
void quorum_lost(struct quorum *q, uint32_t i);
void quorum_forgive(struct quorum *q, uint32_t i);

/* Looks again; true: head or finalized changed. */
bool quorum_decide(struct quorum *q, struct quorum_wants *wants);

bool quorum_usable(const struct quorum *q, uint32_t i);
/* Does its window hold this block? NULL: no. */
const struct l1_header *quorum_holds(const struct quorum *q, uint32_t i, const struct l1_ref *r);
uint32_t quorum_agreeing(const struct quorum *q);
/* Is it above the head, or, as far as the windows reach, on another branch? */
bool quorum_beside(const struct quorum *q, const struct l1_ref *r);

#endif
