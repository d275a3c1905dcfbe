/* Back-pressure: how much may be ordered while what is ordered cannot be posted. A chain that runs
 * ahead of its data layer promises what nobody else can rebuild yet.
 *
 *   stage  entered above                                   the leader
 *   0                                                      builds as always
 *   1      LIMIT_UNSAFE_SLOW_BYTES or _S                   makes blocks smaller, quadratically,
 *                                                          130,000 bytes to 2,000 towards stage 2
 *   2      LIMIT_UNSAFE_LEAST_BYTES or _S                  2,000 bytes a block, 150 a transaction
 *   3      LIMIT_UNSAFE_STOP_BYTES or _S, half the window  orders nothing; new ones are refused
 *   4      the window less an hour                         the same, and would be reorged beyond
 *
 * A stage is left only when everything is below seven tenths of its entry. Each member computes
 * its own; the leader's counts. What is certified is never dropped, and blocks keep their pace: a
 * slower leader would be skipped as late. Bytes are what posting would take, compressed. Pure. */
#ifndef SEQUENCER_BATCHER_PRESSURE_H
#define SEQUENCER_BATCHER_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

enum { PRESSURE_STAGES = 5 };

/* What the data layer says of itself: words for the sentence, no part of the stage. */
enum pressure_layer {
    PRESSURE_LAYER_OK,
    PRESSURE_LAYER_CONGESTED, /* its head moves, what we send does not get in */
    PRESSURE_LAYER_DOWN       /* it does not answer, or cannot be written */
};

struct pressure_input {
    uint64_t unsafe_bytes;
    uint64_t unsafe_age_ms; /* of the oldest block that is not safe */
    uint64_t window_ms;     /* in which a block must be posted; 0: there is none */
};

struct pressure {
    unsigned stage;
    uint32_t block_bytes; /* of a block, as posted; UINT32_MAX: no limit from here */
    uint32_t tx_bytes;    /* of a transaction */
    bool refuse;          /* no transaction is ordered, new ones are refused */
};

/* The stage after `stage`, and what it asks for. */
unsigned pressure_stage(unsigned stage, const struct pressure_input *in);
struct pressure pressure_at(unsigned stage, const struct pressure_input *in);
/* To somebody whose transaction is refused. */
const char *pressure_sentence(enum pressure_layer layer);

#endif
