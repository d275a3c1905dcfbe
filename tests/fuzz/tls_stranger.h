/* A TLS peer that is none of ours, and speaks otherwise wherever it is told to. */
#ifndef TESTS_FUZZ_TLS_STRANGER_H
#define TESTS_FUZZ_TLS_STRANGER_H

#include "p2p/tls.h"

/* What is wrong with it: no protocol named (ALPN), another one, others before the right one; no
 * certificate; an older TLS. And: it answers our call, it hangs up at once when all is done. */
enum {
    STRANGER_NO_ALPN = 1,
    STRANGER_OTHER_ALPN = 2,
    STRANGER_MORE_ALPN = 4,
    STRANGER_BARE = 8,
    STRANGER_OLD = 16,
    STRANGER_SERVES = 32,
    STRANGER_HANGS_UP = 64
};

/* Ours, fresh and of the other side, meets it until neither has anything to say. */
void tls_stranger_meet(const struct tls_context *ours, uint8_t how);

#endif
