/* The oracle's own records. What must hold stands in CONSENSUS 12; nothing here comes from the
 * core but what it said and did. */
#ifndef ORACLE_H
#define ORACLE_H

#include "tests/sim/sim.h"

/* Kinds of votes as indices. */
enum { ORACLE_NOTARIZE, ORACLE_SKIP, ORACLE_FINALIZE, ORACLE_KINDS };

/* A message that the core asked for behind a write that was not durable then. */
struct awaited {
    uint64_t gate, mark;
    int to, kind;
};

enum { AWAITED = 1024 };

struct oracle {
    struct {
        struct awaited wait[AWAITED]; /* a ring, in the order of asking */
        uint32_t at, n;
        const struct effect *now; /* being carried out */
    } order[SIM_NODES];
    /* By kind, member and slot: 0 nothing, else a tag of the block signed. */
    uint64_t tag[ORACLE_KINDS][SIM_MEMBERS][SIM_SLOTS];
    uint8_t durable[ORACLE_KINDS][SIM_SLOTS]; /* masks of members */
    uint32_t final_at[SIM_SLOTS];             /* block + 1 */
    struct certificate *cert[SIM_SLOTS];
    uint8_t skipped[SIM_SLOTS]; /* by turn: somebody saw it skipped */
    uint64_t top, top_height;   /* highest slot touched; highest final height */
    uint64_t top_final;
    struct {
        uint32_t block;
        uint64_t slot, height, life;
        uint64_t uncovered_us; /* since when it has delivered blocks without a certificate */
        uint64_t cur;
        uint32_t looks;
        struct certificate cert;
    } node[SIM_NODES];
};

uint64_t oracle_tag(uint8_t kind, const struct hash *block);
uint32_t oracle_quorum(const struct sim *s);
bool oracle_liar(const struct sim *s, int member);
bool oracle_slot(struct sim *s, uint64_t slot);
uint64_t oracle_first(const struct sim *s, uint64_t slot); /* of its turn */
/* Could this still be certified, liars voting for everything? */
bool oracle_notarizable(const struct sim *s, uint64_t slot, uint64_t tag);
bool oracle_skippable(const struct sim *s, uint64_t slot);
bool oracle_finalizable(const struct sim *s, uint64_t slot);
void oracle_rules(struct sim *s, struct node *n, const struct vote *v);

#endif
