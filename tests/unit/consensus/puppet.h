/* A lying member: it hears everything that is sent to it and votes for everything to whom it
 * likes, equivocates, skips, withholds, replays certificates, shows false statuses. What it does
 * follows from its seed alone. */
#ifndef TESTS_UNIT_CONSENSUS_PUPPET_H
#define TESTS_UNIT_CONSENSUS_PUPPET_H

#include "tests/unit/consensus/world.h"

enum puppet_style {
    PUPPET_ECHO = 1,        /* votes for whatever it sees, to chosen members */
    PUPPET_SKIP = 2,        /* skips the slots it hears of */
    PUPPET_LEAD = 4,        /* proposes in its turns: twins, any parent, LAST, EMPTY */
    PUPPET_REPLAY = 8,      /* shows certificates, old and new, to chosen members */
    PUPPET_STATUS = 16,     /* shows false statuses */
    PUPPET_VICTIM = 32,     /* votes to one member alone */
    PUPPET_TWINS = 64,      /* leads two chains at once, one for each side */
    PUPPET_NOTICE = 128,    /* announces what it likes; its blocks carry notices and evidence, true and false */
    PUPPET_ALL = 255
};

struct puppet;
struct puppet *puppet_new(struct world *w, uint64_t seed, uint32_t style);
void puppet_free(struct puppet *p);
/* For world_listen. */
void puppet_hears(void *arg, int z, int from, const struct message *m);
void puppet_quiet(struct puppet *p, bool quiet);

#endif
