/* Each allocation fails once, the k-th for every k: posting says so or tries again, sends nothing
 * that is not journaled, and gets where it was going. Linked so that malloc, calloc and realloc of
 * our own objects come by here. */
#include "txm_kit.h"

#include <stdlib.h>

#include "proto/keccak.h"
#include "sequencer/batcher/duty.h"

enum { NEVER = -1, HEADS = 40 };

static long left = NEVER; /* allocations before the one that fails */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool fails(void)
{
    return left != NEVER && left-- == 0;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

static bool is_journaled(const struct kit *k, const struct hash *hash)
{
    for (size_t i = 0; i < k->groups; i++) {
        struct bytes group = bytes_of(k->group[i], k->group_n[i]);
        struct txm_record r;
        enum err e;
        while (txm_group_next(&group, &r, &e)) {
            struct hash h = keccak256(r.raw.p, r.raw.n);
            if (r.type == TXM_RUNG && hash_equal(&h, hash)) {
                return true;
            }
        }
    }
    return false;
}

static void send_all(struct kit *k)
{
    struct txm_send s;
    while (txm_next_send(k->t, &s)) {
        assert_true(is_journaled(k, &s.hash));
    }
}

/* Posts segment `no`, however often it takes. */
static void post(struct kit *k, uint64_t no)
{
    struct txm_payload p = kit_payload(k, no);
    uint64_t nonce = 0;
    enum err e = ERR_NO_MEMORY;
    for (int i = 0; i < 4 && e != OK; i++) {
        e = txm_post(k->t, &p, 1, &nonce);
        assert_true(e == OK || e == ERR_NO_MEMORY || e == ERR_IO);
        kit_head(k, 1);
    }
    assert_int_equal(e, OK);
    e = ERR_NO_MEMORY;
    for (int i = 0; i < 4 && e != OK; i++) {
        e = txm_release(k->t, nonce);
        kit_head(k, 1);
    }
    assert_int_equal(e, OK);
}

/* Up the ladder and beyond, over to another segment, and then cancelled. */
static void story(struct kit *k)
{
    post(k, 0);
    for (int i = 0; i < HEADS; i++) {
        kit_head(k, 1);
        send_all(k);
    }
    assert_true(kit_status(k).bumps > TXM_LADDER);
    k->view.safe = 10;
    kit_head(k, 1);
    post(k, 1);
    send_all(k);
    k->view.safe = 20;
    for (int i = 0; i < 6; i++) {
        kit_head(k, 1);
        send_all(k);
    }
    assert_int_equal(kit_status(k).cancelled, 1);
    assert_int_equal(txm_slots(k->t), 1);
    assert_int_equal(kit_status(k).next_nonce, 6);
}

static void test_manager(void **state)
{
    (void)state;
    bool failed = true;
    for (long n = 0; failed; n++) {
        struct kit k;
        kit_open(&k, TXM_CALLDATA);
        kit_head(&k, 1);
        left = n;
        story(&k);
        failed = left == NEVER;
        left = NEVER;
        kit_close(&k);
        assert_true(n < 10000);
    }
}

static enum err restore(struct kit *k)
{
    const struct txm_signer s = {.ctx = k};
    const struct txm_journal j = {.ctx = k};
    struct txm *t;
    TRY(txm_new(&t, &k->cfg, &s, &j));
    enum err e = OK;
    for (size_t i = 0; i < k->groups && e == OK; i++) {
        e = txm_restore(t, bytes_of(k->group[i], k->group_n[i]));
    }
    txm_free(t);
    return e;
}

static void test_restart(void **state)
{
    (void)state;
    struct kit k;
    kit_open(&k, TXM_BLOB);
    kit_head(&k, 1);
    kit_post(&k, 0);
    enum err e = ERR_NO_MEMORY;
    long n = 0;
    for (; e != OK; n++) {
        left = n;
        e = restore(&k);
        left = NEVER;
        assert_true(e == OK || e == ERR_NO_MEMORY);
    }
    assert_true(n > 4);
    kit_close(&k);
}

static enum err use_duty(struct bytes encoded)
{
    const struct duty_config c = duty_config_default(4, 1);
    struct duty_segment s = {.no = 0, .first = 1, .last = 10};
    struct duty *d;
    TRY(duty_new(&d, &c));
    enum err e = duty_segment_add(d, &s);
    e = e == OK ? duty_intent_add(d, encoded, false, false, 1, NULL) : e;
    assert_int_equal(duty_intents(d), e == OK);
    duty_free(d);
    return e;
}

static void test_duty(void **state)
{
    (void)state;
    struct post_intent i = {.first = 1, .last = 10, .kind = INTENT_CALLDATA, .parts = 1};
    struct buffer encoded;
    i.part[0].rungs = 1;
    i.part[0].raw[0] = bytes_of("signed", 6);
    buffer_init(&encoded, LIMIT_INTENT_BYTES);
    assert_int_equal(intent_encode(&encoded, &i), OK);
    enum err e = ERR_NO_MEMORY;
    long n = 0;
    for (; e != OK; n++) {
        left = n;
        e = use_duty(buffer_bytes(&encoded));
        left = NEVER;
        assert_true(e == OK || e == ERR_NO_MEMORY);
    }
    assert_true(n > 3);
    buffer_free(&encoded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manager),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_duty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
