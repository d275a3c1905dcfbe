#include "proto/keccak_many.h"

#include "proto/keccak.h"
#include "proto/keccak_rounds.h"

#ifdef __x86_64__
/* One lane of all states. Its bytes are in the machine's order, which is Keccak's here. */
typedef uint64_t wide __attribute__((vector_size(8 * KECCAK_TOGETHER)));

union states {
    wide lane[25];
    uint64_t word[25][KECCAK_TOGETHER];
};

__attribute__((target("avx512f"))) static void permute(union states *s)
{
    wide a[25];
    wide e[25];
    memcpy(a, s->lane, sizeof a);
    for (int i = 0; i < KECCAK_ROUNDS; i += 2) {
        KECCAK_ROUND(wide, e, a, keccak_constant[i]);
        KECCAK_ROUND(wide, a, e, keccak_constant[i + 1]);
    }
    memcpy(s->lane, a, sizeof a);
}

static void absorb(union states *s, size_t which, const uint8_t block[KECCAK_RATE])
{
    for (size_t i = 0; i < KECCAK_RATE / 8; i++) {
        uint64_t word;
        memcpy(&word, block + 8 * i, sizeof word);
        s->word[i][which] ^= word;
    }
}

/* The last block of each: what is left, and the padding. */
static void absorb_end(union states *s, size_t which, const uint8_t *p, size_t n)
{
    uint8_t block[KECCAK_RATE] = {0};
    if (n > 0) {
        memcpy(block, p, n);
    }
    block[n] = 0x01;
    block[KECCAK_RATE - 1] |= 0x80;
    absorb(s, which, block);
}

static void squeeze(const union states *s, size_t which, struct hash *out)
{
    for (size_t i = 0; i < sizeof out->b / 8; i++) {
        memcpy(out->b + 8 * i, &s->word[i][which], 8);
    }
}

/* Those that end before the longest take part in the rounds that are left, for nothing. */
static void hash_together(struct hash *out, const struct bytes *in, size_t n)
{
    union states s;
    memset(&s, 0, sizeof s);
    size_t left = n;
    for (size_t at = 0; left > 0; at += KECCAK_RATE) {
        for (size_t i = 0; i < n; i++) {
            if (in[i].n >= at + KECCAK_RATE) {
                absorb(&s, i, in[i].p + at);
            } else if (in[i].n >= at) {
                absorb_end(&s, i, in[i].n > at ? in[i].p + at : NULL, in[i].n - at);
            }
        }
        permute(&s);
        for (size_t i = 0; i < n; i++) {
            if (in[i].n >= at && in[i].n < at + KECCAK_RATE) {
                squeeze(&s, i, &out[i]);
                left--;
            }
        }
    }
}

static bool may_hash_together(void)
{
    return __builtin_cpu_supports("avx512f");
}
#else
static void hash_together(struct hash *out, const struct bytes *in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = keccak256(in[i].p, in[i].n);
    }
}

static bool may_hash_together(void)
{
    return false;
}
#endif

void keccak256_many(struct hash *out, const struct bytes *in, size_t n)
{
    bool together = may_hash_together();
    size_t at = 0;
    while (together && n - at > 1) {
        size_t k = n - at < KECCAK_TOGETHER ? n - at : KECCAK_TOGETHER;
        hash_together(out + at, in + at, k);
        at += k;
    }
    for (; at < n; at++) {
        out[at] = keccak256(in[at].p, in[at].n);
    }
}
