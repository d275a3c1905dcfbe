/* An execution client in the place of the built-in ledger: the gate before it, how it is brought
 * level with the chain, what is known of its accounts, what it is offered.
 *
 *      not READY ──► READY ──► SEARCH ──► FEED ──► LEVEL
 *          ▲            highest number that    blocks from the own
 *          │            is the chain's there   disk, in order
 *          └──────── the session ended: from anywhere ────────┘
 *
 * A client may come back without blocks that it had, or on others. So nothing but the feeding passes
 * the gate before LEVEL: the client holds `latest`, as it stands here. Then what was executed above
 * `latest` is executed again, and the node goes on where it was. A member whose client is not level
 * takes no turns and gives no finalize votes.
 *
 * Accounts. The pool reads nonce and balance without waiting, so the last values read stand in a
 * table, each with the number it was read at. A transaction is taken into the pool after its sender
 * was read at `latest`, or later than it came. Contracts move balances of anybody: what is old is
 * read again when somebody asks for it.
 *
 * Offers. A transaction taken here is offered to the client's own pool at once, all of them when it is
 * LEVEL again, and every second those that have waited: a client forgets. */
#ifndef SEQUENCER_NODE_ENGINE_LINK_H
#define SEQUENCER_NODE_ENGINE_LINK_H

#include "sequencer/engine/engine.h"
#include "sequencer/execution/payload.h"

struct node;
struct intake_tx;
struct account_known;

struct engine_link {
    struct engine *engine; /* NULL: the built-in ledger executes */
    struct execution client;
    bool level;
    uint64_t session;         /* counts READY: what was asked in an earlier one is void */
    uint64_t low, high, next; /* of SEARCH: known to be the chain's, perhaps; of FEED */
    uint64_t retry_us;        /* SEARCH begins again then; 0: it need not */
    uint64_t fed;             /* blocks, since the start */
    char why[240];            /* why it is not level */
    struct payload_info base; /* of `latest`, or of another that it was */
    /* engine_accounts.c */
    struct account_known *account; /* by address; oldest first */
    uint32_t wanted;
    bool asking;
    struct intake_tx *parked, **parked_end;
    /* engine_offers.c */
    struct hash *offer; /* to be offered, oldest first */
    uint32_t offers, offer_at, offer_room;
};

/* Starts the session. Says in `why` what is wrong with the secret. */
enum err link_open(struct node *n, char *why, size_t why_len) MUST_USE;
void link_turn(struct node *n); /* every 100 ms */
void link_second(struct node *n);
void link_free(struct node *n);
/* True with the ledger. Else nothing is asked of the client now. */
bool link_is_level(const struct node *n);
/* `safe` and `finalized` as users see them go with the next call that moves the client's head. */
void link_heads(struct node *n);
void link_base_fee(struct node *n, struct u256 *out);

void accounts_open(struct node *n);
/* As last read. Unknown: nonce 0, and a balance that refuses nothing. */
void accounts_get(struct node *n, const struct address *a, uint64_t *nonce, struct u256 *balance);
/* True: the transaction is kept until its sender was read, and goes on with intake_go_on. */
bool accounts_park(struct node *n, struct intake_tx *t);
void accounts_want(struct node *n, const struct address *a); /* perhaps it changed */
void accounts_pump(struct node *n);
void accounts_close(struct node *n);

void offers_add(struct node *n, const struct hash *tx);
void offers_add_all(struct node *n);
void offers_add_old(struct node *n); /* executable, and here for seconds */
void offers_pump(struct node *n);

#endif
