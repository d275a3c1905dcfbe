/* What an endpoint did wrong: the label of its counters and the word in the log. */
#ifndef SEQUENCER_L1_FAULT_H
#define SEQUENCER_L1_FAULT_H

enum l1_fault {
    L1_FAULT_NONE,
    L1_FAULT_CONNECT,     /* refused, no route, no such name, TLS */
    L1_FAULT_TIMEOUT,
    L1_FAULT_CLOSED,      /* connection ended before the answer did */
    L1_FAULT_TOO_LARGE,
    L1_FAULT_BUSY,        /* 429 */
    L1_FAULT_STATUS,      /* any other status but 200 */
    L1_FAULT_GARBAGE,     /* no JSON, HTML, JSON cut off, no JSON-RPC answer */
    L1_FAULT_WRONG_ID,    /* answers to something that was not asked */
    L1_FAULT_ERROR,       /* a JSON-RPC error where there should be an answer */
    L1_FAULT_WRONG_CHAIN,
    L1_FAULT_CONTRADICTS, /* a block that is not what its hash says, a head without its parent */
    L1_FAULTS
};

const char *l1_fault_name(enum l1_fault f);

#endif
