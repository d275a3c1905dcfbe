#include "proto/eip712.h"

#include "proto/keccak.h"

static uint8_t *next_word(struct typed *t)
{
    uint8_t *word = t->word[t->n++];
    memset(word, 0, sizeof t->word[0]);
    return word;
}

void typed_begin(struct typed *t, const char *type)
{
    struct hash h = keccak256(type, strlen(type));
    t->n = 0;
    typed_put_hash(t, &h);
}

void typed_put_u64(struct typed *t, uint64_t v)
{
    store_be64(next_word(t) + 24, v);
}

void typed_put_hash(struct typed *t, const struct hash *h)
{
    memcpy(next_word(t), h->b, sizeof h->b);
}

void typed_put_address(struct typed *t, const struct address *a)
{
    memcpy(next_word(t) + 12, a->b, sizeof a->b);
}

void typed_put_bytes16(struct typed *t, const uint8_t b[16])
{
    memcpy(next_word(t), b, 16);
}

struct hash typed_hash(const struct typed *t)
{
    return keccak256(t->word, t->n * sizeof t->word[0]);
}

struct hash typed_digest(const struct typed *t, const struct hash *domain_separator)
{
    struct hash content = typed_hash(t);
    uint8_t buffer[2 + 32 + 32] = {0x19, 0x01};
    memcpy(buffer + 2, domain_separator->b, 32);
    memcpy(buffer + 34, content.b, 32);
    return keccak256(buffer, sizeof buffer);
}

struct hash domain_separator(uint64_t chain_id, const struct address *contract)
{
    struct hash name = keccak256("Baton", 5);
    struct hash version = keccak256("1", 1);
    struct typed t;
    typed_begin(&t, "EIP712Domain(string name,string version,uint256 chainId,"
                    "address verifyingContract)");
    typed_put_hash(&t, &name);
    typed_put_hash(&t, &version);
    typed_put_u64(&t, chain_id);
    typed_put_address(&t, contract);
    return typed_hash(&t);
}
