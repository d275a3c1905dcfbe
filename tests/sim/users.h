/* Users: they submit transactions to any member and are told "accepted" and "confirmed". The pool
 * of each node is the real one (sequencer/mempool); intake follows the rules of
 * sequencer/node/intake_acks.c, which itself is bound to the event loop. */
#ifndef USERS_H
#define USERS_H

#include "tests/sim/sim.h"

struct users *users_new(void);
void users_free(struct users *u);
void users_reset(struct sim *s);
/* A moment of the users: new transactions, and old ones again. */
void users_beat(struct sim *s);

/* Tells another one what is old in this node's pool. */
void users_retell(struct sim *s, struct node *n);
void users_boot(struct sim *s, struct node *n);
void users_crash(struct sim *s, struct node *n);
void users_stored(struct sim *s, struct node *n, uint64_t tx);
void users_message(struct sim *s, struct node *n, struct node *from, const struct message *m);
/* Fills a payload on this parent: the number of transactions; mixes them into the body root. */
uint32_t users_select(struct sim *s, struct node *n, const struct hash *parent, uint32_t max,
                      struct hash *body_root);
/* Does every body up to this block hold each account's nonces in turn? A client calls it INVALID
 * otherwise. */
bool users_valid(struct sim *s, uint32_t block);
bool users_pending(struct sim *s, struct node *n);
void users_final(struct sim *s, struct node *n, uint32_t block);
/* Is everything that was acknowledged final? */
bool users_served(const struct sim *s);

#endif
