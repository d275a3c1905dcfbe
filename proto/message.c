/* Lanes and largest frames of the kinds. */
#include "proto/message.h"

enum lane message_lane(enum message_kind kind)
{
    switch (kind) {
    case MSG_PROPOSAL:
        return LANE_PROPOSAL;
    case MSG_BODY:
    case MSG_BLOCK:
        return LANE_BODY;
    case MSG_TXS:
        return LANE_TX;
    case MSG_BLOCKS:
        return LANE_SYNC;
    case MSG_INTENT:
        return LANE_POST;
    case MSG_STATUS:
    case MSG_VOTES:
    case MSG_BUNDLE:
    case MSG_FETCH:
    case MSG_RANGE:
    case MSG_TX_ACK:
    case MSG_AMNESIA_ASK:
    case MSG_AMNESIA_ANSWER:
    case MSG_OWN_VOTES_ASK:
    case MSG_OWN_VOTES:
    case MSG_NOTICES:
    case MSG_INTENT_ACK:
    case MSG_KIND_COUNT:
        break;
    }
    return LANE_VOTE;
}

size_t message_limit(enum message_kind kind)
{
    static const size_t limit[LANE_COUNT] = {
        [LANE_VOTE] = LIMIT_FRAME_CONTROL, [LANE_PROPOSAL] = LIMIT_FRAME_PROPOSAL,
        [LANE_BODY] = LIMIT_FRAME_BODY,    [LANE_TX] = LIMIT_FRAME_TXS,
        [LANE_SYNC] = LIMIT_FRAME_SYNC,    [LANE_POST] = LIMIT_FRAME_INTENT,
    };
    return limit[message_lane(kind)];
}
