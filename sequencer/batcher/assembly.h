/* Frames become channels again, by the rule of Holocene: one channel at a time, its frames in
 * order; a new first frame ends whatever was incomplete. Fed with the frames of one payload after
 * frames_prune, in the order of L1. Pure but for the memory of the open channel. */
#ifndef SEQUENCER_BATCHER_ASSEMBLY_H
#define SEQUENCER_BATCHER_ASSEMBLY_H

#include "sequencer/batcher/frame.h"

enum { CHANNEL_TIMEOUT_BLOCKS = 50 };

struct assembly {
    bool open;
    struct channel_id id;
    uint64_t opened; /* L1 block of its first frame */
    uint32_t frames;
    size_t weight;   /* bytes and 200 a frame: what LIMIT_CHANNEL_BYTES bounds */
    struct buffer data;
};

enum assembly_verdict {
    ASSEMBLY_TAKEN,    /* more frames are needed */
    ASSEMBLY_COMPLETE, /* `data` and `id` are a whole channel until the next call */
    ASSEMBLY_IGNORED,  /* continues no open channel */
    ASSEMBLY_TOO_LARGE /* the channel is dropped; also without memory (`data.bad`) */
};

void assembly_init(struct assembly *a);
void assembly_free(struct assembly *a);
/* Enters an L1 block: a channel that was opened more than 50 blocks before is dropped; true then. */
bool assembly_enter(struct assembly *a, uint64_t l1_block);
enum assembly_verdict assembly_push(struct assembly *a, uint64_t l1_block, const struct frame *f);
const char *assembly_verdict_text(enum assembly_verdict v);

#endif
