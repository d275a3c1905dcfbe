#include "sequencer/l1/send_class.h"

#include <ctype.h>

enum { RATE_LIMITED = -32005, TEXT_MAX = 512 };

/* First match wins, so that a text with a second one's words in it stands above that. */
static const struct {
    const char *words;
    enum l1_send class;
} texts[] = {
    {"already known", L1_SEND_PENDING},
    {"alreadyknown", L1_SEND_PENDING},
    {"already imported", L1_SEND_PENDING},
    {"nonce too low", L1_SEND_CHECK},
    {"nonce is too low", L1_SEND_CHECK},
    {"oldnonce", L1_SEND_CHECK},
    {"already reserved", L1_SEND_OTHERKIND},
    {"future transaction tries to replace pending", L1_SEND_GAP},
    {"nonce too high", L1_SEND_GAP},
    {"noncegap", L1_SEND_GAP},
    {"gapped", L1_SEND_GAP},
    {"underpriced", L1_SEND_BUMP},
    {"replacementnotallowed", L1_SEND_BUMP},
    {"below minimum", L1_SEND_BUMP},
    {"feetoolow", L1_SEND_BUMP},
    {"less than block base fee", L1_SEND_BUMP},
    {"less than block blob gas fee", L1_SEND_BUMP},
    {"fee cap less than block", L1_SEND_BUMP},
    {"account limit exceeded", L1_SEND_FULL},
    {"in-flight transaction limit", L1_SEND_FULL},
    {"txpool is full", L1_SEND_FULL},
    {"transaction pool is full", L1_SEND_FULL},
    {"insufficient funds", L1_SEND_FUNDS},
    {"insufficientfunds", L1_SEND_FUNDS},
    {"upfront cost exceeds", L1_SEND_FUNDS},
    {"intrinsic gas too low", L1_SEND_BUG},
    {"insufficient gas for floor", L1_SEND_BUG},
    {"exceeds block gas limit", L1_SEND_BUG},
    {"gas limit too high", L1_SEND_BUG},
    {"oversized data", L1_SEND_BUG},
    {"blob limit exceeded", L1_SEND_BUG},
    {"too many blobs", L1_SEND_BUG},
    {"sidecar", L1_SEND_BUG},
    {"invalid sender", L1_SEND_BUG},
    {"invalid chain id", L1_SEND_BUG},
    {"invalid proof", L1_SEND_BUG},
    {"invalid kzg proof", L1_SEND_BUG},
    {"type not supported", L1_SEND_BUG},
    {"typenotsupported", L1_SEND_BUG},
    {"higher than max fee per gas", L1_SEND_BUG},
    {"failed to decode", L1_SEND_BUG},
    {"rlp: ", L1_SEND_BUG},
};

enum l1_send send_class(int64_t code, const char *message)
{
    char lower[TEXT_MAX];
    size_t n = 0;
    for (; message[n] != '\0' && n + 1 < sizeof lower; n++) {
        lower[n] = (char)tolower((unsigned char)message[n]);
    }
    lower[n] = '\0';
    if (code == RATE_LIMITED) {
        return L1_SEND_NET;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strstr(lower, texts[i].words) != NULL) {
            return texts[i].class;
        }
    }
    return L1_SEND_NET;
}

enum l1_send send_better(enum l1_send a, enum l1_send b)
{
    return a < b ? a : b;
}

const char *l1_send_name(enum l1_send s)
{
    static const char *const name[L1_SEND_CLASSES] = {
        [L1_SEND_ACCEPTED] = "accepted", [L1_SEND_PENDING] = "pending",
        [L1_SEND_BUMP] = "fees too low", [L1_SEND_CHECK] = "nonce used",
        [L1_SEND_OTHERKIND] = "other kind pending", [L1_SEND_GAP] = "nonce gap",
        [L1_SEND_FULL] = "pool full",    [L1_SEND_FUNDS] = "no funds",
        [L1_SEND_NET] = "no answer",     [L1_SEND_BUG] = "refused for good",
    };
    return s < L1_SEND_CLASSES ? name[s] : "?";
}
