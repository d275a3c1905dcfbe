/* What the files of the liars share: what all of them together have heard. They collude. */
#ifndef LIAR_H
#define LIAR_H

#include "tests/sim/adversary.h"

enum { LIAR_HEADS = 96, LIAR_CERTS = 64, LIAR_VOTES = 192, LIAR_HELD = 64, LIAR_NOTICES = 16 };

struct heard_votes {
    uint8_t kind;
    uint64_t slot;
    struct hash block;
    uint32_t signers;
    struct signature signature[SIM_MEMBERS];
};

struct liars {
    struct dice dice;
    bool quiet;
    uint32_t head[LIAR_HEADS]; /* blocks of the world */
    uint32_t heads;            /* ever kept */
    struct certificate cert[LIAR_CERTS];
    uint32_t certs;
    struct heard_votes votes[LIAR_VOTES];
    uint32_t tallies;
    struct ready_notice ready[LIAR_NOTICES]; /* heard */
    struct leave_notice leave[LIAR_NOTICES];
    uint32_t readies, leaves;
    uint64_t proposed_at; /* slot last led, and how often */
    uint32_t proposed;
    uint32_t branch[2]; /* two chains of one turn, one for each side */
    uint64_t branch_turn;
    uint32_t sides;
    struct {
        struct frame *frame;
        int to;
    } held[LIAR_HELD];
    uint32_t selected; /* members that hear selective senders */
    uint64_t selected_at;
};

uint64_t liar_roll(struct sim *s, uint64_t n);
/* liar_words.c */
void liar_vote(struct sim *s, struct node *z, int to, uint8_t kind, uint64_t slot,
               const struct hash *block);
void liar_send(struct sim *s, struct node *z, int to, const struct message *m);
void liar_speak(struct sim *s, struct node *z, const struct message *m);
/* liar_notices.c */
void liar_keep_notices(struct sim *s, const struct message *m);
void liar_notices(struct sim *s, struct node *z);
/* What it packs into a block; valid until the next call. */
void liar_parts(struct sim *s, const struct node *z, struct system_parts *parts);
/* liar_lead.c */
void liar_lead(struct sim *s, struct node *z, uint64_t cur);
void liar_keep_head(struct sim *s, const struct block_head *h);

#endif
