/* The state trie and list tries: known vectors, order, sharing, differences, proofs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "chain_kit.h"
#include "proof_check.h"
#include "proto/keccak.h"
#include "proto/rlp.h"
#include "sequencer/execution/trie.h"

static struct hash hash_from(const char *hex)
{
    struct hash h;
    assert_true(hex_decode(h.b, sizeof h.b, hex));
    return h;
}

static void assert_hash(const struct hash *h, const char *hex)
{
    struct hash want = hash_from(hex);
    assert_memory_equal(h->b, want.b, sizeof want.b);
}

struct pair {
    struct bytes key;
    struct bytes value;
};

static struct bytes pair_key(const void *ctx, uint32_t i, uint8_t buffer[TRIE_KEY_BUFFER])
{
    const struct pair *pair = ctx;
    (void)buffer;
    return pair[i].key;
}

static struct bytes pair_value(const void *ctx, uint32_t i, uint8_t buffer[TRIE_VALUE_BUFFER])
{
    const struct pair *pair = ctx;
    (void)buffer;
    return pair[i].value;
}

static int pair_compare(const void *a, const void *b)
{
    const struct pair *x = a;
    const struct pair *y = b;
    size_t n = x->key.n < y->key.n ? x->key.n : y->key.n;
    int c = memcmp(x->key.p, y->key.p, n);
    return c != 0 ? c : (x->key.n > y->key.n) - (x->key.n < y->key.n);
}

static struct hash pairs_root(struct pair *pair, uint32_t n)
{
    qsort(pair, n, sizeof *pair, pair_compare);
    struct trie_source source = {pair, n, pair_key, pair_value, NULL};
    return trie_source_root(&source);
}

static struct pair text_pair(const char *key, const char *value)
{
    return (struct pair){bytes_of(key, strlen(key)), bytes_of(value, strlen(value))};
}

/* ethereum/tests, TrieTests/trieanyorder.json */
static void test_known_vectors(void **state)
{
    (void)state;
    struct pair single[] = {text_pair("A", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")};
    struct pair dogs[] = {text_pair("doe", "reindeer"), text_pair("dog", "puppy"),
                          text_pair("dogglesworth", "cat")};
    struct pair puppy[] = {text_pair("do", "verb"), text_pair("horse", "stallion"),
                           text_pair("doge", "coin"), text_pair("dog", "puppy")};
    struct pair foo[] = {text_pair("foo", "bar"), text_pair("food", "bass")};
    struct pair small[] = {text_pair("be", "e"), text_pair("dog", "puppy"), text_pair("bed", "d")};
    struct pair testy[] = {text_pair("test", "test"), text_pair("te", "testy")};
    struct pair hex[] = {{bytes_of("\x00\x45", 2), bytes_of("\x01\x23\x45\x67\x89", 5)},
                         {bytes_of("\x45\x00", 2), bytes_of("\x98\x76\x54\x32\x10", 5)}};
    struct hash h = pairs_root(single, 1);
    assert_hash(&h, "d23786fb4a010da3ce639d66d5e904a11dbc02746d1ce25029e53290cabf28ab");
    h = pairs_root(dogs, 3);
    assert_hash(&h, "8aad789dff2f538bca5d8ea56e8abe10f4c7ba3a5dea95fea4cd6e7c3a1168d3");
    h = pairs_root(puppy, 4);
    assert_hash(&h, "5991bb8c6514148a29db676a14ac506cd2cd5775ace63c30a4fe457715e9ac84");
    h = pairs_root(foo, 2);
    assert_hash(&h, "17beaa1648bafa633cda809c90c04af50fc8aed3cb40d16efbddee6fdf63c4c3");
    h = pairs_root(small, 3);
    assert_hash(&h, "3f67c7a47520f79faa29255d2d3c084a7a6df0453116ed7232ff10277a8be68b");
    h = pairs_root(testy, 2);
    assert_hash(&h, "8452568af70d8d140f58d941338542f645fcca50094b20f3c3d8c3df49337928");
    h = pairs_root(hex, 2);
    assert_hash(&h, "285505fcabe84badc8aa310e2aae17eddc7d120aabec8a476902c8184b3a3503");
}

struct keeping {
    struct pair pair[3];
    struct hash kept[3];
    uint32_t made; /* values asked for */
};

static struct bytes keeping_key(const void *ctx, uint32_t i, uint8_t buffer[TRIE_KEY_BUFFER])
{
    const struct keeping *k = ctx;
    return pair_key(k->pair, i, buffer);
}

static struct bytes keeping_value(const void *ctx, uint32_t i, uint8_t buffer[TRIE_VALUE_BUFFER])
{
    struct keeping *k = (struct keeping *)(uintptr_t)ctx;
    k->made++;
    return pair_value(k->pair, i, buffer);
}

static struct hash *keeping_leaf(const void *ctx, uint32_t i, unsigned depth)
{
    struct keeping *k = (struct keeping *)(uintptr_t)ctx;
    assert_true(depth > 0);
    return &k->kept[i];
}

/* A leaf that was hashed before is not made again; one too short for a hash is, each time. */
static void test_kept_leaves(void **state)
{
    (void)state;
    static const char long_value[] = "a value of more than thirty-two bytes, so that it is hashed";
    struct keeping k = {.pair = {text_pair("a", long_value), text_pair("b", "short"),
                                 text_pair("c", long_value)}};
    struct pair plain[3];
    memcpy(plain, k.pair, sizeof plain);
    const struct trie_source source = {&k, 3, keeping_key, keeping_value, keeping_leaf};
    struct hash want = pairs_root(plain, 3);
    for (uint32_t round = 0; round < 3; round++) {
        struct hash got = trie_source_root(&source);
        assert_memory_equal(&got, &want, sizeof want);
        assert_int_equal(k.made, 3 + round);
    }
    assert_true(hash_is_zero(&k.kept[1]));
    plain[2] = k.pair[2] = text_pair("c", "another value of more than thirty-two bytes, too");
    k.kept[2] = (struct hash){{0}};
    want = pairs_root(plain, 3);
    struct hash got = trie_source_root(&source);
    assert_memory_equal(&got, &want, sizeof want);
}

static void test_empty_roots(void **state)
{
    (void)state;
    struct trie empty = {0};
    struct hash h = trie_root(&empty);
    assert_hash(&h, "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");
    h = trie_list_root(NULL, 0);
    assert_hash(&h, "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");
}

enum { LIST_MAX = 600, ITEM_MAX = 700 };

/* Keys by RLP of the index, sorted by qsort: the list code must find the same order by itself. */
static void test_list_order(void **state)
{
    (void)state;
    static uint8_t item[LIST_MAX][ITEM_MAX];
    static uint8_t keys[LIST_MAX][8];
    static const uint32_t sizes[] = {1, 2, 16, 17, 127, 128, 129, 255, 256, 257, 600};
    uint64_t seed = 11;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        uint32_t n = sizes[s];
        struct bytes list[LIST_MAX];
        struct pair pair[LIST_MAX];
        for (uint32_t i = 0; i < n; i++) {
            size_t len = 1 + kit_random(&seed) % ITEM_MAX;
            memset(item[i], (int)(kit_random(&seed) & 0xff), len);
            list[i] = bytes_of(item[i], len);
            struct rlp_out key = {.p = keys[i], .cap = sizeof keys[i]};
            rlp_put_u64(&key, i);
            pair[i] = (struct pair){bytes_of(keys[i], key.n), list[i]};
        }
        struct hash a = trie_list_root(list, n);
        struct hash b = pairs_root(pair, n);
        assert_memory_equal(a.b, b.b, sizeof a.b);
    }
}

static void test_list_proofs(void **state)
{
    (void)state;
    static uint8_t item[LIST_MAX][ITEM_MAX];
    struct bytes list[LIST_MAX];
    uint64_t seed = 12;
    for (uint32_t n = 1; n < LIST_MAX; n = n * 3 + 1) {
        for (uint32_t i = 0; i < n; i++) {
            size_t len = 1 + kit_random(&seed) % (i % 5 == 0 ? ITEM_MAX : 4);
            memset(item[i], (int)(kit_random(&seed) & 0xff), len);
            list[i] = bytes_of(item[i], len);
        }
        struct hash root = trie_list_root(list, n);
        for (uint32_t i = 0; i < n; i++) {
            uint8_t *proof;
            size_t proof_n;
            uint8_t buffer[TRIE_KEY_BUFFER];
            struct bytes value;
            assert_int_equal(trie_list_proof(list, n, i, &proof, &proof_n), OK);
            struct bytes key = trie_list_key(i, buffer);
            assert_int_equal(proof_check(bytes_of(proof, proof_n), &root, key, &value),
                             PROOF_PRESENT);
            assert_true(bytes_equal(value, list[i]));
            free(proof);
        }
    }
    uint8_t *proof;
    size_t proof_n;
    assert_int_equal(trie_list_proof(list, 3, 3, &proof, &proof_n), ERR_NOT_FOUND);
}

/* The state trie's other implementation: all accounts, sorted, hashed at once. */
struct model {
    struct ledger_account account[2000];
    struct hash key[2000];
    uint8_t value[2000][128];
    uint32_t n;
};

static struct hash model_root(struct model *m)
{
    static const struct hash code = {{0}};
    struct pair pair[2000];
    struct hash empty = trie_list_root(NULL, 0);
    struct hash no_code = keccak256(code.b, 0);
    for (uint32_t i = 0; i < m->n; i++) {
        struct rlp_out rlp = {.p = m->value[i], .cap = sizeof m->value[i]};
        size_t mark = rlp_list_begin(&rlp);
        rlp_put_u64(&rlp, m->account[i].nonce);
        rlp_put_u256(&rlp, &m->account[i].balance);
        rlp_put_string(&rlp, empty.b, 32);
        rlp_put_string(&rlp, no_code.b, 32);
        rlp_list_end(&rlp, mark);
        pair[i] = (struct pair){bytes_of(m->key[i].b, 32), bytes_of(m->value[i], rlp.n)};
    }
    return pairs_root(pair, m->n);
}

static void model_account(struct model *m, uint32_t i, uint64_t *seed)
{
    struct address a = kit_address(i);
    m->account[i] =
        (struct ledger_account){.address = a, .nonce = kit_random(seed) >> (kit_random(seed) % 64)};
    m->account[i].balance = (struct u256){{kit_random(seed), kit_random(seed) % 3, 0, 0}};
    m->key[i] = keccak256(a.b, sizeof a.b);
}

static void put(struct trie *t, const struct model *m, uint32_t i)
{
    assert_true(trie_put(t, &m->key[i], &m->account[i]));
}

static void test_order_of_insertion(void **state)
{
    (void)state;
    static struct model m;
    uint64_t seed = 21;
    m.n = 2000;
    for (uint32_t i = 0; i < m.n; i++) {
        model_account(&m, i, &seed);
    }
    struct hash want = model_root(&m);
    for (uint32_t order = 0; order < 3; order++) {
        struct trie t = {0};
        for (uint32_t i = 0; i < m.n; i++) {
            put(&t, &m, order == 0 ? i : order == 1 ? m.n - 1 - i : (i * 7919) % m.n);
            if (i % 500 == 0) {
                (void)trie_root(&t); /* hashed in between: later changes copy */
            }
        }
        struct hash root = trie_root(&t);
        assert_memory_equal(root.b, want.b, sizeof want.b);
        trie_free(&t);
    }
}

static bool same(const struct ledger_account *a, const struct ledger_account *b)
{
    return address_equal(&a->address, &b->address) && a->nonce == b->nonce &&
           u256_cmp(&a->balance, &b->balance) == 0;
}

struct seen {
    const struct model *before;
    const struct model *now;
    uint32_t n;
};

static void see(void *arg, const struct ledger_account *a)
{
    struct seen *seen = arg;
    uint32_t i = load_be32(a->address.b + 16) - 1;
    assert_true(same(&seen->now->account[i], a));
    assert_true(i >= seen->before->n || !same(&seen->before->account[i], a));
    seen->n++;
}

/* Random generations, each a fork of a random one before; all roots, differences and old contents
 * stay right; freeing in random order leaves nothing (the sanitizer looks). */
static void test_forks(void **state)
{
    (void)state;
    enum { GENERATIONS = 24 };
    struct model *m = calloc(GENERATIONS, sizeof *m);
    struct trie t[GENERATIONS] = {{0}};
    struct hash root[GENERATIONS];
    uint64_t seed = 31;
    assert_non_null(m);
    for (uint32_t g = 0; g < GENERATIONS; g++) {
        uint32_t from = g == 0 ? 0 : (uint32_t)(kit_random(&seed) % g);
        uint32_t changed = 0;
        if (g > 0) {
            m[g] = m[from];
            trie_fork(&t[g], &t[from]);
        }
        for (uint32_t k = 0; k < 40; k++) {
            uint32_t i = m[g].n < 1900 && kit_random(&seed) % 2 == 0
                             ? m[g].n++
                             : (uint32_t)(kit_random(&seed) % m[g].n);
            model_account(&m[g], i, &seed);
            put(&t[g], &m[g], i);
        }
        root[g] = trie_root(&t[g]);
        struct hash want = model_root(&m[g]);
        assert_memory_equal(root[g].b, want.b, sizeof want.b);
        if (g > 0) {
            struct seen seen = {&m[from], &m[g], 0};
            trie_diff(&t[from], &t[g], see, &seen);
            for (uint32_t i = 0; i < m[g].n; i++) {
                changed += i >= m[from].n || !same(&m[from].account[i], &m[g].account[i]);
            }
            assert_int_equal(seen.n, changed);
        }
    }
    for (uint32_t g = 0; g < GENERATIONS; g++) {
        struct hash again = trie_root(&t[g]);
        assert_memory_equal(again.b, root[g].b, sizeof again.b);
        for (uint32_t i = 0; i < m[g].n; i++) {
            assert_true(same(trie_get(&t[g], &m[g].key[i]), &m[g].account[i]));
        }
    }
    for (uint32_t g = 0; g < GENERATIONS; g++) {
        trie_free(&t[(g * 7) % GENERATIONS]);
    }
    free(m);
}

static void test_state_proofs(void **state)
{
    (void)state;
    static struct model m;
    uint64_t seed = 41;
    struct trie t = {0};
    m.n = 0;
    for (uint32_t size = 1; size <= 1000; size *= 10) {
        for (; m.n < size; m.n++) {
            model_account(&m, m.n, &seed);
            put(&t, &m, m.n);
        }
        struct hash root = trie_root(&t);
        (void)model_root(&m);
        for (uint32_t i = 0; i < m.n + 50; i++) {
            struct address a = kit_address(i);
            struct hash key = keccak256(a.b, sizeof a.b);
            uint8_t *proof;
            size_t n;
            struct bytes value;
            assert_int_equal(trie_proof(&t, &key, &proof, &n), OK);
            enum proof_says says =
                proof_check(bytes_of(proof, n), &root, bytes_of(key.b, 32), &value);
            assert_int_equal(says, i < m.n ? PROOF_PRESENT : PROOF_ABSENT);
            assert_true(i >= m.n || memcmp(value.p, m.value[i], value.n) == 0);
            proof[n / 2] ^= 1;
            assert_int_equal(proof_check(bytes_of(proof, n), &root, bytes_of(key.b, 32), &value),
                             PROOF_BROKEN);
            free(proof);
        }
    }
    trie_free(&t);
}

/* Keys that share long beginnings: extensions are made, split and moved. */
static void test_extensions(void **state)
{
    (void)state;
    struct pair pair[40];
    struct hash key[40];
    uint8_t value[40][128];
    struct trie t = {0};
    uint64_t seed = 51;
    struct hash empty = trie_list_root(NULL, 0);
    struct hash no_code = keccak256(value, 0);
    for (uint32_t i = 0; i < 40; i++) {
        uint64_t same = kit_random(&seed) % 64;
        memset(key[i].b, 0x77, 32);
        for (uint64_t k = same / 2; k < 32; k++) {
            key[i].b[k] = (uint8_t)kit_random(&seed);
        }
        struct ledger_account a = {.nonce = i};
        struct rlp_out rlp = {.p = value[i], .cap = sizeof value[i]};
        size_t mark = rlp_list_begin(&rlp);
        rlp_put_u64(&rlp, a.nonce);
        rlp_put_u256(&rlp, &a.balance);
        rlp_put_string(&rlp, empty.b, 32);
        rlp_put_string(&rlp, no_code.b, 32);
        rlp_list_end(&rlp, mark);
        pair[i] = (struct pair){bytes_of(key[i].b, 32), bytes_of(value[i], rlp.n)};
        struct trie child;
        trie_fork(&child, &t);
        assert_true(trie_put(&child, &key[i], &a));
        trie_free(&t);
        t = child;
        struct pair sorted[40];
        memcpy(sorted, pair, sizeof sorted);
        struct hash want = pairs_root(sorted, i + 1);
        struct hash root = trie_root(&t);
        assert_memory_equal(root.b, want.b, 32);
        for (uint32_t k = 0; k <= i; k++) {
            uint8_t *proof;
            size_t n;
            struct bytes found;
            assert_int_equal(trie_proof(&t, &key[k], &proof, &n), OK);
            assert_int_equal(proof_check(bytes_of(proof, n), &root, pair[k].key, &found),
                             PROOF_PRESENT);
            free(proof);
        }
    }
    trie_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_leaves),
        cmocka_unit_test(test_known_vectors),      cmocka_unit_test(test_empty_roots),
        cmocka_unit_test(test_list_order),         cmocka_unit_test(test_list_proofs),
        cmocka_unit_test(test_order_of_insertion), cmocka_unit_test(test_forks),
        cmocka_unit_test(test_state_proofs),       cmocka_unit_test(test_extensions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
