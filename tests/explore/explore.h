/* The explorer: every order of deliveries, timers and crashes of a small set, with the real core.
 *
 * A core is a function of what it is given, so a member is searched apart from the others: its
 * *local states* (core and disk) are found once each and numbered, and what an action makes of one
 * is computed once by the real core (graph.c). A *global state* is then a number for each member
 * and the set of proposals that exist; millions of them are searched by looking up (search.c).
 *
 * The network is what exists: a proposal that was sent, a certificate that the votes on the disks
 * of members allow. Each may reach each member at any later time, once more, or never. Votes exist
 * when they are durable; a liar's exist always. Time is what timers see: TIMER is a moment at which
 * all are due, and may come at any time at any member.
 *
 * One thread. Errors of memory end the program. */
#ifndef TESTS_EXPLORE_EXPLORE_H
#define TESTS_EXPLORE_EXPLORE_H

#include "consensus/core.h"

enum {
    MEMBERS = 4,          /* at most */
    BLOCKS = 64,          /* the anchor is block 0 */
    CERTS = 64,
    PROPOSALS = 64,
    SLOTS_MOST = 7,       /* slots 1 … that are looked at */
    BASE_US = 1000000000, /* now, in every local state */
    AGE_US = 3000000,     /* longer than any limit but those of a set that finalizes nothing */
    STEP_US = 600000      /* TIMER: all that waits for less is due */
};

/* ---- scene.c: who there is, and every object that exists -------------------------------------- */

struct scene_options {
    uint32_t n;         /* 3: crash, 4: bft */
    int liar;           /* its member index; -1: none */
    uint32_t turn_slots;
    uint64_t slots;     /* the last one that is looked at */
    bool last;          /* leaders hand over early: an honest one with every block, a liar at will */
};

struct block_entry {
    struct block_head head;
    uint8_t system[SYSTEM_INLINE];
    int parent;         /* block number */
};

struct cert_entry {
    uint8_t kind;       /* index: NOTARIZE … */
    uint64_t slot;
    int block;          /* block number; 0 for a skip */
};

struct proposal_entry {
    int block;
    uint64_t certs;     /* of its justification, by bit */
};

struct scene {
    struct scene_options o;
    struct epoch_config epoch;
    struct core_crypto crypto[MEMBERS];
    struct block_entry block[BLOCKS];
    struct cert_entry cert[CERTS];
    struct proposal_entry proposal[PROPOSALS];
    int blocks, certs, proposals;
};

void scene_init(struct scene *s, const struct scene_options *o);
int scene_leader(const struct scene *s, uint64_t slot);
/* Numbers, given out at first sight; a block that an honest leader made gets the liar's blocks on
 * top of it where a liar leads later. */
int scene_block(struct scene *s, const struct block_head *head);
int scene_cert(struct scene *s, int kind, uint64_t slot, int block);
int scene_proposal(struct scene *s, int block, uint64_t certs);
int scene_block_of(const struct scene *s, const struct hash *hash); /* -1: unknown */
bool scene_is_ancestor(const struct scene *s, int ancestor, int block); /* or the same */
/* A certificate as others would show it to member `to`: signed by the lowest of them. */
void scene_make_cert(const struct scene *s, int cert, int to, struct certificate *out);
void scene_make_vote(const struct scene *s, int signer, const struct cert_entry *what,
                     struct vote *out);

/* ---- machine.c: one member's core, clockwork and disk -------------------------------------------- */

struct disk_vote {
    uint8_t kind; /* index */
    uint8_t slot;
    uint8_t block;
};

struct disk {
    struct disk_vote vote[48];
    uint8_t votes;
    uint64_t certs;     /* by bit */
    uint64_t proposing; /* turns, by bit */
    uint64_t heads, heads_coming; /* durable; durable with the next write */
    uint8_t final, final_coming;  /* the delivered head, block number */
    uint8_t final_cert, final_cert_coming; /* certificate number + 1 */
    uint8_t crashes;
    uint8_t bench[BENCH_BYTES], bench_coming[BENCH_BYTES];
};

struct machine {
    struct scene *scene;
    int self;
    void *memory;
    struct core *core;
    struct core *blank;    /* a copy of the fresh one: an image is what differs from it */
    struct effects *effects;
    struct disk disk;
    uint64_t made;         /* proposals sent in the last action, by bit */
    uint64_t now_us;
};

void machine_init(struct machine *m, struct scene *s, int self);
void machine_free(struct machine *m);
/* A fresh start from the disk. */
void machine_boot(struct machine *m);
void machine_timer(struct machine *m, bool alone);
void machine_proposal(struct machine *m, int proposal);
void machine_cert(struct machine *m, int cert);
void machine_vote(struct machine *m, int signer, int cert);
/* `lives`: it may crash again, so that more of its disk counts than votes. */
struct hash machine_digest(struct machine *m, bool lives);

/* ---- normal.c: states that will do the same become the same --------------------------------------- */
void normal_form(struct core *c);

/* ---- rules.c: CONSENSUS 4 and 8, seen from outside ------------------------------------------------- */
/* Judges one write before it joins the disk. `final`: the highest final slot known before. */
void rules_judge_write(const struct scene *s, const struct disk *d, const struct effect *persist,
                       int self, uint64_t final);

/* ---- image.c: core and disk, small enough to keep thousands ------------------------------------- */
struct image {
    uint64_t *word;
    uint32_t words;
};
/* Lent until the next call. */
struct image image_look(const struct machine *m);
struct image image_keep(struct image look);
void image_load(struct machine *m, const struct image *image);

/* ---- graph.c: local states and what actions make of them ---------------------------------------- */
enum { ACT_TIMER, ACT_ALONE, ACT_CRASH, ACT_PROPOSAL, ACT_CERT = ACT_PROPOSAL + PROPOSALS,
       ACT_VOTE = ACT_CERT + CERTS, /* of member 0, then of 1, … */
       ACTIONS = ACT_VOTE + MEMBERS * CERTS };

/* What the others can see of a local state, and where it leads. */
struct local {
    struct image image;
    struct disk disk;
    uint64_t cur;
    uint8_t notarized[SLOTS_MOST + 1], finalized[SLOTS_MOST + 1]; /* own votes: block number */
    uint8_t skipped;         /* own votes, by slot */
    uint64_t holds;          /* certificates, by bit */
    uint8_t shown;           /* slots of which a proposal was seen */
    uint32_t next[ACTIONS];  /* local state + 1; 0: not yet asked for */
    uint64_t made[ACTIONS];  /* proposals that the action sent */
};

struct glance {
    uint64_t hash[2];
    uint32_t local;          /* + 1; 0: free */
};

struct graph {
    struct scene *scene;
    struct machine machine[MEMBERS];
    struct local *local[MEMBERS];
    uint32_t locals[MEMBERS], capacity[MEMBERS];
    uint32_t *table[MEMBERS]; /* by digest */
    struct hash *key[MEMBERS];
    struct glance *glance[MEMBERS]; /* states by image: most were seen just so before */
    uint32_t crashes;         /* of each member at most: the disk of the others decides nothing */
    uint64_t asked;           /* steps of the real core */
};

void graph_init(struct graph *g, struct scene *s, uint32_t crashes);
void graph_free(struct graph *g);
/* The local state after an action; `made`: proposals that it sent. */
uint32_t graph_next(struct graph *g, int member, uint32_t from, int action, uint64_t *made);

/* ---- walk.c: all that one member may do before the others see anything of it --------------------- */

/* What reaches a member: certificates, proposals and single votes, by bit; a vote has the number of
 * the certificate that it could be part of. */
struct offer {
    uint64_t certs, proposals;
    uint64_t votes[MEMBERS]; /* of each member */
};

struct walk_step {
    uint32_t local;
    uint64_t made;
};

struct walk_rules {
    bool alone;             /* timers may also find that nobody is heard */
    bool votes;             /* votes also come one by one */
    bool both;              /* a member may be shown both proposals of a slot */
    uint32_t crashes;       /* of each member at most */
};

struct walks;
struct walks *walks_new(struct graph *g, const struct walk_rules *rules);
void walks_free(struct walks *w);
/* Every local state in which a silent way from `from` first shows something: a vote, a proposal. */
const struct walk_step *walks_from(struct walks *w, int member, uint32_t from,
                                   const struct offer *offer, uint32_t *n);
/* Tells the way to `to` (UINT32_MAX: the one being walked). */
void walks_print(struct walks *w, int member, uint32_t from, const struct offer *offer,
                 uint32_t to);

/* ---- judge.c: what must hold, seen from all members at once ---------------------------------------- */

enum seen { SEEN_FINAL, SEEN_FINAL_LAST, SEEN_SKIP, SEEN_BOTH, SEEN_OVER_SKIP, SEEN_EXCUSED,
            SEEN_TWINS, SEEN_CRASHED, SEEN_KINDS };
const char *seen_name(int seen);

/* A member that lies has no local state: NULL. */
struct view {
    struct scene *scene;
    const struct local *l[MEMBERS];
};

/* Certificates that the votes on the disks allow, by bit; with or without the liar's. */
uint64_t judge_certs(const struct view *v, bool liar);
/* The votes of one member, by the certificates that they could be part of. */
uint64_t judge_votes(const struct view *v, int member);
/* Agreement, exclusion, one block a slot (CONSENSUS 12); counts what it saw. */
void judge_all(const struct view *v, uint64_t certs, uint64_t seen[SEEN_KINDS]);

/* ---- search.c ------------------------------------------------------------------------------------- */
struct search_options {
    struct walk_rules walk;
    uint64_t states;        /* stop there */
    double seconds;         /* or then */
    uint32_t heal_every;    /* every so manieth state is healed and must go on; 0: none */
};

struct search_result {
    uint64_t states, steps, healed;
    uint32_t depth;
    bool complete;
    uint64_t seen[SEEN_KINDS];
};

void search_run(struct graph *g, const struct search_options *o, struct search_result *out);

/* ---- main.c -------------------------------------------------------------------------------------- */
/* Something that must hold does not: prints it with the way that led there, and ends. */
_Noreturn void broken(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* search.c tells the way to the state at work. */
void search_print_way(void);

#endif
