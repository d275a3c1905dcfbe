/* The segment that the receiver of a fuzzed intent has made itself; the seeds are of it too. */
#ifndef TESTS_FUZZ_INTENT_KIT_H
#define TESTS_FUZZ_INTENT_KIT_H

#include "sequencer/batcher/auth.h"
#include "sequencer/batcher/duty_intent.h"

enum {
    INTENT_KIT_CHAIN = 1337,
    INTENT_KIT_L1 = 11,
    INTENT_KIT_SEGMENT = 3,
    INTENT_KIT_FIRST = 4,
    INTENT_KIT_LAST = 6,
    INTENT_KIT_BLOBS = 2
};

/* What of the envelope is another's: 0 nothing, then one field each. */
enum { INTENT_KIT_TWISTS = 7 };

/* The envelope of the segment, proved by the members in `signers` (bits); `commitment`: first byte
 * of the one that it names. Appends it. */
void intent_kit_envelope(struct buffer *out, uint32_t signers, uint8_t commitment, int twist);
/* `kind`: of the intent; `twist`: of the receiver's envelope; `proves`: with the epoch, so that
 * other quorums are taken. Lends. */
void intent_kit_wanted(struct intent_wanted *out, uint8_t kind, int twist, bool proves);

#endif
