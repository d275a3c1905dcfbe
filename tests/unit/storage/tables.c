/* What is written comes back the same, at once and after a restart. */
#include "room.h"

static struct bytes text(const char *t)
{
    return bytes_of(t, strlen(t));
}

static int setup(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    room_make(r);
    room_open(r, true);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct room *r = *state;
    if (r->s != NULL) {
        room_close(r);
    }
    room_remove(r);
    free(r);
    return 0;
}

/* Waits until all that was submitted can be read. */
static void reopen(struct room *r)
{
    room_close(r);
    room_open(r, false);
}

static void put(struct room *r, enum storage_table t, const char *key, const char *value)
{
    struct storage_put p = {t, text(key), value == NULL ? text("") : text(value), value == NULL};
    assert_int_equal(storage_submit_puts(r->s, &p, 1, false, 0), OK);
}

static void expect(struct room *r, enum storage_table t, const char *key, const char *value)
{
    struct storage_buffer buf = {0};
    enum err e = storage_get(r->s, t, text(key), &buf);
    assert_int_equal(e, value == NULL ? ERR_NOT_FOUND : OK);
    if (value != NULL) {
        assert_true(bytes_equal(bytes_of(buf.p, buf.n), text(value)));
    }
    free(buf.p);
}

static void tables_are_apart(void **state)
{
    struct room *r = *state;
    for (int t = TABLE_STATE; t < TABLE_COUNT; t++) {
        char value[8];
        snprintf(value, sizeof value, "v%d", t);
        put(r, (enum storage_table)t, "key", value);
    }
    put(r, TABLE_POOL, "gone", "x");
    put(r, TABLE_POOL, "gone", NULL);
    room_settle(r);
    for (int round = 0; round < 2; round++) {
        for (int t = TABLE_STATE; t < TABLE_COUNT; t++) {
            char value[8];
            snprintf(value, sizeof value, "v%d", t);
            expect(r, (enum storage_table)t, "key", value);
        }
        expect(r, TABLE_POOL, "gone", NULL);
        expect(r, TABLE_STATE, "ke", NULL);
        reopen(r);
    }
}

struct seen {
    char keys[128];
    int stop_after;
};

static bool see(void *arg, struct bytes key, struct bytes value)
{
    struct seen *s = arg;
    (void)value;
    strncat(s->keys, (const char *)key.p, key.n);
    strncat(s->keys, " ", 2);
    return --s->stop_after != 0;
}

static void walk_keeps_to_its_prefix(void **state)
{
    struct room *r = *state;
    put(r, TABLE_STATE, "a2", "x");
    put(r, TABLE_STATE, "a1", "x");
    put(r, TABLE_STATE, "b1", "x");
    put(r, TABLE_STATE, "a", "x");
    put(r, TABLE_RECEIPTS, "a3", "x");
    room_settle(r);
    struct seen some = {.stop_after = -1};
    assert_int_equal(storage_walk(r->s, TABLE_STATE, text("a"), see, &some), OK);
    assert_string_equal(some.keys, "a a1 a2 ");
    struct seen all = {.stop_after = -1};
    assert_int_equal(storage_walk(r->s, TABLE_STATE, text(""), see, &all), OK);
    assert_string_equal(all.keys, "a a1 a2 b1 ");
    struct seen two = {.stop_after = 2};
    assert_int_equal(storage_walk(r->s, TABLE_STATE, text(""), see, &two), OK);
    assert_string_equal(two.keys, "a a1 ");
}

static void bounds_are_kept(void **state)
{
    struct room *r = *state;
    static uint8_t key[LIMIT_STORAGE_KEY + 1];
    struct storage_put p = {TABLE_MISC, bytes_of(key, sizeof key), text("x"), false};
    assert_int_equal(storage_submit_puts(r->s, &p, 1, true, 1), ERR_TOO_LARGE);
    p.key.n = LIMIT_STORAGE_KEY;
    assert_int_equal(storage_submit_puts(r->s, &p, 1, true, 1), OK);
    assert_int_equal(room_wait(r->s).err, OK);
    p.table = TABLE_COUNT;
    assert_int_equal(storage_submit_puts(r->s, &p, 1, true, 1), ERR_TOO_LARGE);
    struct storage_buffer buf = {0};
    assert_int_equal(storage_get(r->s, TABLE_MISC, bytes_of(key, LIMIT_STORAGE_KEY), &buf), OK);
    assert_int_equal(buf.n, 1);
    free(buf.p);
}

static struct header header_at(uint64_t epoch, uint64_t slot, uint64_t height, uint8_t flags)
{
    struct header h = {.chain_id = 901, .epoch = epoch, .slot = slot, .flags = flags};
    h.height = height;
    h.timestamp_ms = slot * 200;
    h.leader = 2;
    return h;
}

static struct hash hash_of(uint64_t n)
{
    struct hash h = {{0}};
    store_be64(h.b, n);
    return h;
}

static void block_parts_come_one_by_one(void **state)
{
    struct room *r = *state;
    struct storage_buffer buf = {0};
    struct block out;
    struct hash hash = hash_of(7);
    struct block head = {.head.header = header_at(1, 7, 5, 0), .head.system = text("system")};
    head.head.header.body_len = 4;
    head.head.signature.b[3] = 9;
    struct block body = {.body = text("body")};

    assert_int_equal(storage_submit_block(r->s, &hash, &body), OK);
    room_settle(r);
    assert_int_equal(storage_get_block(r->s, &hash, &buf, &out), ERR_NOT_FOUND);
    assert_int_equal(storage_submit_block(r->s, &hash, &head), OK);
    room_settle(r);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(storage_get_block(r->s, &hash, &buf, &out), OK);
        assert_true(bytes_equal(out.body, text("body")));
        assert_true(bytes_equal(out.head.system, text("system")));
        assert_true(hash_equal(&out.head.hash, &hash));
        assert_int_equal(out.head.header.slot, 7);
        assert_int_equal(out.head.header.body_len, 4);
        assert_int_equal(out.head.signature.b[3], 9);
        reopen(r);
    }
    struct hash other = hash_of(8);
    assert_int_equal(storage_submit_block(r->s, &other, &head), OK);
    room_settle(r);
    assert_int_equal(storage_get_block(r->s, &other, &buf, &out), OK);
    assert_int_equal(out.body.n, 0);
    free(buf.p);
}

static void large_body(void **state)
{
    struct room *r = *state;
    struct storage_buffer buf = {0};
    struct block out;
    struct hash hash = hash_of(1);
    uint8_t *bytes = malloc(LIMIT_BODY_BYTES + 1);
    for (size_t i = 0; i <= LIMIT_BODY_BYTES; i++) {
        bytes[i] = (uint8_t)(i * 2654435761U >> 13);
    }
    struct block b = {.head.header = header_at(1, 1, 1, 0)};
    b.body = bytes_of(bytes, LIMIT_BODY_BYTES + 1);
    assert_int_equal(storage_submit_block(r->s, &hash, &b), ERR_TOO_LARGE);
    b.body.n--;
    for (uint64_t i = 1; i <= 8; i++) { /* more than the write buffers hold */
        hash = hash_of(i);
        assert_int_equal(storage_submit_block(r->s, &hash, &b), OK);
    }
    room_settle(r);
    for (uint64_t i = 1; i <= 8; i++) {
        hash = hash_of(i);
        assert_int_equal(storage_get_block(r->s, &hash, &buf, &out), OK);
        assert_true(bytes_equal(out.body, b.body));
    }
    free(buf.p);
    free(bytes);
}

static struct certificate certificate_at(uint64_t epoch, uint64_t slot)
{
    struct certificate c = {.kind = VOTE_FINALIZE, .epoch = epoch, .slot = slot, .signers = 7};
    c.block = hash_of(slot);
    for (size_t i = 0; i < 3; i++) {
        memset(c.signature[i].b, (int)i + 1, sizeof c.signature[i].b);
        c.signature[i].b[64] = 28;
    }
    return c;
}

static void submit_final(struct room *r, uint64_t slot, uint64_t height, uint8_t flags,
                         const struct certificate *c, const char *bench)
{
    struct header h = header_at(2, slot, height, flags);
    struct storage_final f = {hash_of(slot), &h, c, text(bench)};
    assert_int_equal(storage_submit_final(r->s, &f), OK);
}

static void check_chain(struct room *r)
{
    uint64_t epoch = 0;
    uint64_t slot = 0;
    struct hash h;
    struct certificate c;
    struct storage_buffer bench = {0};
    assert_int_equal(storage_highest_final(r->s, &epoch, &slot, &h, &bench), OK);
    assert_int_equal(epoch, 2);
    assert_int_equal(slot, 9);
    assert_int_equal(load_be64(h.b), 9);
    assert_true(bytes_equal(bytes_of(bench.p, bench.n), text("bench9")));
    free(bench.p);
    assert_int_equal(storage_hash_by_height(r->s, 1, &h), OK);
    assert_int_equal(load_be64(h.b), 3); /* the EMPTY block of slot 4 has height 1 too */
    assert_int_equal(storage_hash_by_height(r->s, 3, &h), ERR_NOT_FOUND);
    assert_int_equal(storage_final_above(r->s, 2, 0, &slot, &h), OK);
    assert_int_equal(slot, 3);
    assert_int_equal(storage_final_above(r->s, 2, 4, &slot, &h), OK);
    assert_int_equal(slot, 9);
    assert_int_equal(storage_final_above(r->s, 2, 9, &slot, &h), ERR_NOT_FOUND);
    assert_int_equal(storage_final_above(r->s, 1, 0, &slot, &h), ERR_NOT_FOUND);
    assert_int_equal(storage_certificate(r->s, 2, 3, &c), OK);
    assert_int_equal(c.slot, 4);
    assert_int_equal(storage_certificate(r->s, 2, 5, &c), OK);
    struct certificate want = certificate_at(2, 9);
    assert_int_equal(c.slot, 9);
    assert_int_equal(c.signers, want.signers);
    assert_memory_equal(c.signature, want.signature, 3 * sizeof c.signature[0]);
    assert_int_equal(storage_certificate(r->s, 2, 10, &c), ERR_NOT_FOUND);
}

static void final_chain(void **state)
{
    struct room *r = *state;
    uint64_t epoch = 0;
    uint64_t slot = 0;
    struct hash h;
    struct certificate c4 = certificate_at(2, 4);
    struct certificate c9 = certificate_at(2, 9);
    assert_int_equal(storage_highest_final(r->s, &epoch, &slot, &h, NULL), ERR_NOT_FOUND);
    submit_final(r, 3, 1, 0, NULL, "bench3");
    submit_final(r, 4, 1, FLAG_EMPTY, &c4, "bench4");
    submit_final(r, 9, 2, 0, &c9, "bench9");
    room_settle(r);
    check_chain(r);
    reopen(r);
    check_chain(r);
    submit_final(r, 4, 1, FLAG_EMPTY, &c4, "bench4"); /* an older one does not lower the tip */
    room_settle(r);
    check_chain(r);
}

/* A crash, or an end, between a final block and the one whose certificate covers it. */
static void uncovered_blocks_wait_for_their_certificate(void **state)
{
    struct room *r = *state;
    uint64_t epoch = 0;
    uint64_t slot = 0;
    struct hash h;
    struct certificate c = certificate_at(2, 5);
    submit_final(r, 3, 1, 0, NULL, "bench3");
    submit_final(r, 4, 2, 0, NULL, "bench4");
    room_settle(r);
    assert_int_equal(storage_highest_final(r->s, &epoch, &slot, &h, NULL), ERR_NOT_FOUND);
    assert_int_equal(storage_final_above(r->s, 2, 0, &slot, &h), ERR_NOT_FOUND);
    reopen(r);
    assert_int_equal(storage_highest_final(r->s, &epoch, &slot, &h, NULL), ERR_NOT_FOUND);
    submit_final(r, 3, 1, 0, NULL, "bench3");
    submit_final(r, 4, 2, 0, NULL, "bench4");
    submit_final(r, 5, 3, 0, &c, "bench5");
    room_settle(r);
    assert_int_equal(storage_final_above(r->s, 2, 0, &slot, &h), OK);
    assert_int_equal(slot, 3);
    assert_int_equal(storage_hash_by_height(r->s, 2, &h), OK);
    assert_int_equal(storage_highest_final(r->s, &epoch, &slot, &h, NULL), OK);
    assert_int_equal(slot, 5);
    assert_int_equal(storage_certificate(r->s, 2, 3, &c), OK);
    assert_int_equal(c.slot, 5);
}

static void check_floor(struct room *r, uint64_t slot)
{
    uint64_t epoch = 0;
    uint64_t got = 0;
    storage_floor(r->s, &epoch, &got);
    assert_int_equal(epoch, 3);
    assert_int_equal(got, slot);
}

static void journal_round_trip_and_prune(void **state)
{
    struct room *r = *state;
    room_steps(r, 1, 600);
    room_check_journal(r, 1, 600);
    room_final(r, 500);
    room_settle(r);
    assert_int_equal(storage_prune_journal(r->s, 3, 510), OK); /* above what is final here */
    room_check_journal(r, 1, 600); /* the floor is on its way */
    check_floor(r, 500);
    room_settle(r);
    assert_int_equal(storage_prune_journal(r->s, 3, 510), OK);
    room_check_journal(r, 501, 600);
    reopen(r);
    assert_int_equal(r->verdict, STORAGE_CLEAN);
    room_check_journal(r, 501, 600);
    check_floor(r, 500);
    room_steps(r, 601, 800);
    room_final(r, 900);
    room_settle(r);
    assert_int_equal(storage_prune_journal(r->s, 4, 0), OK); /* another epoch: all lies below */
    room_settle(r);
    assert_int_equal(storage_prune_journal(r->s, 4, 0), OK);
    room_check_journal(r, 800, 800); /* the last one always stays */
}

static bool note_marks(void *arg, const struct journal_step *step)
{
    uint64_t *turns = arg;
    if (step->proposing) {
        *turns = *turns * 10 + step->proposing_turn;
    }
    return true;
}

static void prune_keeps_two_proposing_marks(void **state)
{
    struct room *r = *state;
    for (uint64_t n = 1; n <= 300; n++) {
        struct journal_step step = {.sequence = n, .epoch = 3};
        step.proposing = n % 50 == 0;
        step.proposing_turn = n / 50;
        assert_int_equal(storage_submit_step(r->s, &step, true), OK);
    }
    for (uint64_t n = 1; n <= 300; n++) {
        assert_int_equal(room_wait(r->s).err, OK);
    }
    room_final(r, 1000);
    room_settle(r);
    assert_int_equal(storage_prune_journal(r->s, 3, 1000), OK);
    room_settle(r);
    assert_int_equal(storage_prune_journal(r->s, 3, 1000), OK);
    uint64_t turns = 0;
    assert_int_equal(storage_walk_journal(r->s, note_marks, &turns), OK);
    assert_int_equal(turns, 56);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tables_are_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(walk_keeps_to_its_prefix, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(block_parts_come_one_by_one, setup, teardown),
        cmocka_unit_test_setup_teardown(large_body, setup, teardown),
        cmocka_unit_test_setup_teardown(final_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(uncovered_blocks_wait_for_their_certificate, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(journal_round_trip_and_prune, setup, teardown),
        cmocka_unit_test_setup_teardown(prune_keeps_two_proposing_marks, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
