/* How members lie: each strategy a plug-in, freely combined; adversaries.def lists them. A liar is
 * either a puppet, which speaks of its own accord out of what it hears, or an honest core whose
 * words are bent on their way out (and two of them behind one key: twins). */
#ifndef ADVERSARY_H
#define ADVERSARY_H

#include "tests/sim/sim.h"

enum art {
#define ART(name, word, what) ART_##name,
#include "tests/sim/adversaries.def"
#undef ART
    ARTS
};

struct liars *liars_new(void);
void liars_free(struct liars *l);
void liars_reset(struct sim *s);
void liars_drop(struct sim *s); /* what they hold back */
/* Everything that reaches a puppet. */
void liars_hear(struct sim *s, struct node *z, int from, const struct message *m);
/* A message of a lying core on its way out: true: it was taken away (and perhaps sent otherwise).
 */
bool liars_tap(struct sim *s, struct node *z, int to, struct frame *f);
/* What was held back is due. */
void liars_held(struct sim *s, struct node *z, uint64_t which);
void liars_quiet(struct sim *s);
bool liars_use(const struct sim *s, enum art art);
/* A lying core whose client packs what stands in unfinalized ancestors already. */
bool liars_careless(const struct sim *s, const struct node *z);
bool liars_withhold(const struct sim *s, const struct node *z);

#endif
