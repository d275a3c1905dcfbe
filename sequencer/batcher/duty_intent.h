/* PostIntent: what a member is about to send to L1 for a segment, shared with the others before it
 * is sent, so that they can send the same bytes when it cannot, instead of spending money of their
 * own for a second time.
 *
 *   "BTPI" · version 1 · chain id u64 · L1 chain id u64 · time u64 · segment u64 ·
 *   first u64 · last u64 · last hash 32 · segment root 32 · channel id 16 · member u8 · kind u8 ·
 *   account 20 · parts u8 · part … · signature 65                                all big-endian
 *   part: nonce u64 · blobs u8 · versioned hash 32 … · rungs u8 · (length u32 · transaction) …
 *
 * Transactions are signed and without blobs: who re-sends one makes the blobs from the chain.
 * Decoding is canonical. Pure. */
#ifndef SEQUENCER_BATCHER_DUTY_INTENT_H
#define SEQUENCER_BATCHER_DUTY_INTENT_H

#include "proto/members.h"
#include "sequencer/batcher/buffer.h"
#include "sequencer/batcher/frame.h"

enum { INTENT_PARTS = 2, INTENT_LADDER = 4 };
enum intent_kind { INTENT_CALLDATA = 1, INTENT_BLOB = 2 };

struct intent_part {
    uint64_t nonce;
    size_t blobs;
    struct hash versioned[LIMIT_TX_BLOBS];
    size_t rungs; /* 1 … INTENT_LADDER, rising fees */
    struct bytes raw[INTENT_LADDER];
};

struct post_intent {
    uint64_t chain_id;
    uint64_t l1_chain_id;
    uint64_t time_ms; /* when it was made, by its owner's clock */
    uint64_t segment;
    uint64_t first;
    uint64_t last;
    struct hash last_hash;
    struct hash root;
    struct channel_id channel;
    uint8_t member;
    uint8_t kind; /* enum intent_kind */
    struct address account;
    size_t parts; /* calldata: the payload, then its envelope; blob: one */
    struct intent_part part[INTENT_PARTS];
    struct signature signature;
};

/* Appends it, signature as it stands. ERR_REFUSED: counts or lengths out of bounds. */
enum err intent_encode(struct buffer *out, const struct post_intent *i) MUST_USE;
/* Borrows. ERR_MALFORMED, ERR_WRONG_VERSION, ERR_TOO_LARGE. */
enum err intent_decode(struct post_intent *out, struct bytes in) MUST_USE;

/* What the member signs, of encoded bytes: PostIntent(uint64 epoch,uint8 member,uint64 segment,
 * bytes32 content,bytes32 config), content being the Keccak-256 of all but the signature. */
struct hash intent_digest(const struct epoch_config *c, const struct post_intent *i,
                          struct bytes encoded);
/* Signed by the member that it names. ERR_NOT_MEMBER, ERR_BAD_SIGNATURE. */
enum err intent_verify(const struct epoch_config *c, const struct post_intent *i,
                       struct bytes encoded) MUST_USE;

/* What the receiver knows of the segment, from the chain alone. */
struct intent_wanted {
    uint64_t chain_id;
    uint64_t l1_chain_id;
    uint8_t kind;
    uint64_t segment;
    uint64_t first;
    uint64_t last;
    struct hash last_hash;
    struct hash root;
    struct address to[INTENT_PARTS]; /* inbox, envelopes */
    struct bytes data[INTENT_PARTS]; /* payload and envelope as made here; blob: the envelope */
    size_t blobs;
    struct hash versioned[LIMIT_TX_BLOBS];
    const struct epoch_config *epoch; /* NULL: envelopes must be the very bytes made here */
};

/* Every transaction is of this kind, chain, nonce and account, sends nothing but what belongs to
 * this segment, and was signed by the account (42 us each: on a worker). Its envelope may hold other
 * signatures than the one made here, as long as they prove the same. `*foreign`: all is well, but the
 * compressed bytes differ from those made here, so only the owner can make the blobs.
 * ERR_WRONG_CHAIN, ERR_REFUSED (another segment), ERR_MALFORMED, ERR_BAD_SIGNATURE,
 * ERR_BAD_CERTIFICATE, ERR_NO_MEMORY. */
enum err intent_check(const struct post_intent *i, const struct intent_wanted *w, bool *foreign)
    MUST_USE;

#endif
