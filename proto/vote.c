#include "proto/vote.h"

#include "proto/eip712.h"

struct hash vote_digest(const struct epoch_config *c, uint8_t kind, uint64_t slot,
                        const struct hash *block)
{
    struct typed t;
    typed_begin(&t, "Vote(uint8 kind,uint64 epoch,uint64 slot,bytes32 block,bytes32 config)");
    typed_put_u64(&t, kind);
    typed_put_u64(&t, c->epoch);
    typed_put_u64(&t, slot);
    typed_put_hash(&t, block);
    typed_put_hash(&t, &c->hash);
    return typed_digest(&t, &c->domain_separator);
}

struct hash propose_digest(const struct epoch_config *c, uint64_t slot, uint8_t attempt,
                           const struct hash *block)
{
    struct typed t;
    typed_begin(&t, "Propose(uint64 epoch,uint64 slot,uint8 attempt,bytes32 block,bytes32 config)");
    typed_put_u64(&t, c->epoch);
    typed_put_u64(&t, slot);
    typed_put_u64(&t, attempt);
    typed_put_hash(&t, block);
    typed_put_hash(&t, &c->hash);
    return typed_digest(&t, &c->domain_separator);
}

struct hash ready_digest(const struct epoch_config *c, const struct ready_notice *r)
{
    struct typed t;
    typed_begin(&t, "Ready(uint64 epoch,uint8 member,uint64 slot,bytes32 block,bytes32 config)");
    typed_put_u64(&t, r->epoch);
    typed_put_u64(&t, r->member);
    typed_put_u64(&t, r->slot);
    typed_put_hash(&t, &r->block);
    typed_put_hash(&t, &c->hash);
    return typed_digest(&t, &c->domain_separator);
}

struct hash leave_digest(const struct epoch_config *c, const struct leave_notice *l)
{
    struct typed t;
    typed_begin(&t, "Leave(uint64 epoch,uint8 member,uint64 fromTurn,bytes32 config)");
    typed_put_u64(&t, l->epoch);
    typed_put_u64(&t, l->member);
    typed_put_u64(&t, l->from_turn);
    typed_put_hash(&t, &c->hash);
    return typed_digest(&t, &c->domain_separator);
}

struct hash evidence_digest(const struct epoch_config *c, const struct evidence *e, bool second)
{
    uint8_t kind = second ? e->second_kind : e->first_kind;
    const struct hash *block = second ? &e->second : &e->first;
    return kind == 0 ? propose_digest(c, e->slot, e->attempt, block)
                     : vote_digest(c, kind, e->slot, block);
}

void evidence_sort(struct evidence *e)
{
    if (e->first_kind < e->second_kind ||
        (e->first_kind == e->second_kind && memcmp(e->first.b, e->second.b, 32) <= 0)) {
        return;
    }
    struct evidence was = *e;
    e->first_kind = was.second_kind;
    e->second_kind = was.first_kind;
    e->first = was.second;
    e->second = was.first;
    e->first_signature = was.second_signature;
    e->second_signature = was.first_signature;
}

enum err evidence_check_form(const struct epoch_config *c, const struct evidence *e)
{
    bool proposals = e->first_kind == 0 && e->second_kind == 0;
    bool twice = e->first_kind == e->second_kind && e->first_kind != VOTE_SKIP &&
                 e->first_kind <= VOTE_FINALIZE;
    bool both = e->first_kind == VOTE_SKIP && e->second_kind == VOTE_FINALIZE;
    if (e->member >= c->n || e->slot == 0 || (e->attempt != 0 && !proposals)) {
        return ERR_MALFORMED;
    }
    if (both) {
        return hash_is_zero(&e->first) && !hash_is_zero(&e->second) ? OK : ERR_MALFORMED;
    }
    bool ordered = memcmp(e->first.b, e->second.b, sizeof e->first.b) < 0;
    return twice && ordered && !hash_is_zero(&e->first) ? OK : ERR_MALFORMED;
}

static void put_nonce(struct typed *t, const uint8_t nonce[32])
{
    struct hash word;
    memcpy(word.b, nonce, sizeof word.b);
    typed_put_hash(t, &word);
}

struct hash hello_digest(const struct epoch_config *c, const struct hello *h)
{
    struct typed t;
    typed_begin(&t, "Hello(uint64 epoch,uint8 member,uint8 to,bytes16 instance,bytes32 nonce,"
                    "bytes32 peerNonce,bytes32 exporter,uint64 journal,bytes32 config)");
    typed_put_u64(&t, h->epoch);
    typed_put_u64(&t, h->member);
    typed_put_u64(&t, h->to);
    typed_put_bytes16(&t, h->instance);
    put_nonce(&t, h->nonce);
    put_nonce(&t, h->peer_nonce);
    typed_put_hash(&t, &h->exporter);
    typed_put_u64(&t, h->journal_sequence);
    typed_put_hash(&t, &c->hash);
    return typed_digest(&t, &c->domain_separator);
}
