/* Frames: what one message or control word is on the channel, cut into fragments.
 *
 * A fragment is 4 bytes of length (big-endian, of what follows the head), 1 byte of tag, and the
 * bytes. The tag: bits 7–6 the version (1), bit 5 FIRST, bit 4 LAST, bits 3–0 the lane or control
 * word. A fragment that is FIRST but not LAST begins with 4 bytes: the length of the whole frame.
 * Fragments of different lanes may alternate, those of one lane may not: this is how a vote
 * overtakes a body that is on its way.
 *
 * A frame's length is held against the limit of its lane before a byte of it is kept; memory
 * grows with what has arrived, never with what was announced. */
#ifndef P2P_FRAME_H
#define P2P_FRAME_H

#include "proto/bytes.h"
#include "proto/error.h"
#include "proto/message.h"

/* Lanes are tags too: LANE_VOTE … LANE_POST. Control words fit into one fragment. */
enum frame_tag { FRAME_PING = 8, FRAME_HELLO = 9, FRAME_PROOF = 10, FRAME_RETIRE = 11 };

enum {
    FRAGMENT_HEAD = 5,
    FRAGMENT_TOTAL = 4,
    FRAGMENT_VERSION = 1,
    FRAGMENT_FIRST = 0x20,
    FRAGMENT_LAST = 0x10
};

/* An encoded frame, shared by the queues of all peers it goes to. */
struct frame {
    uint32_t refs;
    uint8_t tag;
    size_t len;
    uint8_t data[];
};

/* One reference, `cap` bytes of room, len = cap. NULL: out of memory. */
struct frame *frame_new(uint8_t tag, size_t cap);
struct frame *frame_ref(struct frame *f);
void frame_unref(struct frame *f);

/* Largest frame with this tag; 0 for a tag that does not exist. */
size_t frame_limit(uint8_t tag);

/* Writes the next fragment of `f` from *sent on, at most `cap` bytes, and moves *sent. 0: there is
 * not room enough to be worth a fragment. The frame is complete when *done is set. */
size_t fragment_write(uint8_t *out, size_t cap, const struct frame *f, size_t *sent, bool *done);

enum { FRAME_SLOTS = LANE_COUNT + 1 };

/* One frame that is being put together. */
struct frame_slot {
    uint8_t *p;
    size_t len;
    size_t cap;
    size_t total;
    bool open;
};

struct frame_reader {
    uint8_t head[FRAGMENT_HEAD + FRAGMENT_TOTAL];
    size_t head_len;
    bool in_body;
    uint8_t tag;
    bool last;
    size_t left;                         /* bytes of the fragment that have not come yet */
    struct frame_slot slot[FRAME_SLOTS]; /* by lane; the last one for control words */
};

/* Takes a complete frame; `payload` is borrowed for the call. */
typedef enum err frame_sink(void *ctx, uint8_t tag, struct bytes payload);

/* Cuts what arrived into frames. Returns the first error of the sink, or ERR_WRONG_VERSION,
 * ERR_MALFORMED, ERR_TOO_LARGE, ERR_NO_MEMORY; the reader is then good for nothing else. */
enum err frame_reader_feed(struct frame_reader *r, struct bytes in, frame_sink *sink,
                           void *ctx) MUST_USE;
void frame_reader_free(struct frame_reader *r);

#endif
