/* The two words by which members recognise each other, inside the TLS channel.
 *
 * First each side says who it is and which chain it knows (plain, in the clear inside TLS); then
 * each signs `struct hello` (proto/vote.h), which binds its member key to this channel (exporter),
 * to both fresh nonces and to the addressed member. A signature that was made for another channel
 * or another member proves nothing here (CONSENSUS 8, research T4). */
#ifndef P2P_HELLO_H
#define P2P_HELLO_H

#include "proto/key.h"
#include "proto/members.h"
#include "proto/vote.h"

enum {
    HELLO_VERSION = 1,
    HELLO_BYTES = 2 + 8 + 32 + 8 + 32 + 1 + 16 + 32,
    PROOF_BYTES = 1 + 8 + 65
};

/* Who speaks and which chain: constants of the epoch first, then of the process and channel. */
struct hello_plain {
    uint16_t version;
    uint64_t chain_id;
    struct hash genesis;
    uint64_t epoch;
    struct hash config;
    uint8_t member;
    uint8_t instance[16];
    uint8_t nonce[32];
};

struct hello_plain hello_plain_make(const struct epoch_config *c, int self,
                                    const uint8_t instance[16], const uint8_t nonce[32]);
void hello_plain_encode(uint8_t out[HELLO_BYTES], const struct hello_plain *h);
/* ERR_MALFORMED: wrong length. */
enum err hello_plain_decode(struct hello_plain *out, struct bytes in) MUST_USE;
/* ERR_WRONG_VERSION, ERR_WRONG_CHAIN, ERR_NOT_MEMBER; `why` then gets a constant sentence. */
enum err hello_plain_check(const struct epoch_config *c, const struct hello_plain *h,
                           const char **why) MUST_USE;

/* Signs what `mine` says to `theirs` over this channel. ERR_CRYPTO. */
enum err hello_prove(uint8_t out[PROOF_BYTES], const struct epoch_config *c,
                     const struct secret_key *key, const struct hello_plain *mine,
                     const struct hello_plain *theirs, const struct hash *exporter,
                     uint64_t journal_sequence) MUST_USE;
/* Checks their proof to me. ERR_MALFORMED; ERR_BAD_SIGNATURE: not the member's key, or not made
 * for this channel, these nonces and this member. */
enum err hello_verify(const struct epoch_config *c, struct bytes proof,
                      const struct hello_plain *mine, const struct hello_plain *theirs,
                      const struct hash *exporter, uint64_t *journal_sequence) MUST_USE;

#endif
