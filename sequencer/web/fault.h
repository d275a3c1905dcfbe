/* What an endpoint did wrong: the label of its counters and the word in the log. */
#ifndef SEQUENCER_WEB_FAULT_H
#define SEQUENCER_WEB_FAULT_H

enum web_fault {
    WEB_FAULT_NONE,
    WEB_FAULT_CONNECT,     /* refused, no route, no such name, TLS */
    WEB_FAULT_TIMEOUT,
    WEB_FAULT_CLOSED,      /* connection ended before the answer did */
    WEB_FAULT_TOO_LARGE,
    WEB_FAULT_BUSY,        /* 429 */
    WEB_FAULT_STATUS,      /* any other status but 200 */
    WEB_FAULT_GARBAGE,     /* no JSON, HTML, JSON cut off, no JSON-RPC answer */
    WEB_FAULT_WRONG_ID,    /* answers to something that was not asked */
    WEB_FAULT_ERROR,       /* a JSON-RPC error where there should be an answer */
    WEB_FAULT_WRONG_CHAIN,
    WEB_FAULT_CONTRADICTS, /* a block that is not what its hash says, a head without its parent */
    WEB_FAULTS
};

const char *web_fault_name(enum web_fault f);

#endif
