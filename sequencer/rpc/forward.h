/* Calls that the execution client answers: sent on, and its answer comes back unchanged. Only the
 * block tags are ours: `latest` means the head that the set has made final, which the client
 * cannot know, so tags become numbers on the way, one that is left out too, and what is not final
 * yet is answered here as if it were not there. */
#ifndef SEQUENCER_RPC_FORWARD_H
#define SEQUENCER_RPC_FORWARD_H

#include "sequencer/rpc/call.h"

/* `flags` of methods.def. */
void forward_call(struct call *c, const char *method, uint32_t flags);

#endif
