/* genesis.json read strictly; key files that only their owner may read. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "node_kit.h"
#include "sequencer/node/genesis_file.h"
#include "sequencer/node/keyfile.h"

struct world {
    struct kit_dir dir;
    char *genesis; /* a good one, as text */
    char why[512];
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct genesis g;
    assert_non_null(w);
    kit_dir_make(&w->dir);
    kit_genesis(&g);
    assert_int_equal(
        genesis_file_write(&g, kit_path(&w->dir, "genesis.json"), w->why, sizeof w->why), OK);
    w->genesis = kit_read(&w->dir, "genesis.json");
    genesis_free(&g);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    kit_dir_remove(&w->dir);
    free(w->genesis);
    free(w);
    return 0;
}

/* The good text with the first `from` replaced. */
static char *with(const struct world *w, const char *from, const char *to)
{
    const char *at = strstr(w->genesis, from);
    assert_non_null(at);
    size_t size = strlen(w->genesis) + strlen(to) + 1;
    char *text = malloc(size);
    assert_non_null(text);
    snprintf(text, size, "%.*s%s%s", (int)(at - w->genesis), w->genesis, to, at + strlen(from));
    return text;
}

static void refuses(struct world *w, const char *from, const char *to, const char *words)
{
    struct genesis g;
    char *text = with(w, from, to);
    kit_write(&w->dir, "bad.json", text, 0644);
    free(text);
    assert_int_not_equal(
        genesis_file_read(&g, kit_path(&w->dir, "bad.json"), w->why, sizeof w->why), OK);
    if (strstr(w->why, words) == NULL) {
        fail_msg("expected \"%s\" in: %s", words, w->why);
    }
}

static void genesis_comes_back(void **state)
{
    struct world *w = *state;
    struct genesis g, read;
    kit_genesis(&g);
    assert_int_equal(
        genesis_file_read(&read, kit_path(&w->dir, "genesis.json"), w->why, sizeof w->why), OK);
    struct hash a = genesis_hash(&g);
    struct hash b = genesis_hash(&read);
    assert_memory_equal(a.b, b.b, 32);
    assert_false(hash_is_zero(&read.payload));
    genesis_free(&g);
    genesis_free(&read);
}

static void genesis_is_read_strictly(void **state)
{
    struct world *w = *state;
    refuses(w, "\"devnet\"", "\"devent\"", "unknown key 'devent'");
    refuses(w, "\"turnSlots\":8", "\"turnSlots\":\"8\"", "'turnSlots': expected int");
    refuses(w, "\"turnSlots\":8", "\"turnSlots\":-8", "expected a whole number");
    refuses(w, "\"weight\":1", "\"weight\":1,\"weight\":2", "a key stands twice");
    refuses(w, "\"weight\":1", "\"weight\":1,\"wei\\u0067ht\":2", "with an escape");
    refuses(w, "\"pace\":\"fixed\"", "\"pace\":\"quick\"", "expected \"fixed\" or \"demand\"");
    refuses(w, "\"address\":\"0x", "\"address\":\"", "members[0]: 'address': expected an address");
    refuses(w, "\"name\":\"node0\",", "", "members[0]: 'name' is missing");
    refuses(w, "\"baseFee\":\"1000000000\"", "\"baseFee\":\"much\"", "expected an amount");
    refuses(w, "\"chainId\"", "chainId", "bad.json: 2:");
    refuses(w, "\"turnSlots\":8", "\"turnSlots\":0", "genesis:");
    refuses(w, "\"sealIntervalMs\":10000,", "", "'sealIntervalMs' is missing");
    refuses(w, "\"sealIntervalMs\":10000", "\"sealIntervalMs\":99", "expected 100 to 3600000");
}

static const char clients_record[] =
    "{\"executionGenesis\":{\"fork\":\"prague\","
    "\"hash\":\"0x1111111111111111111111111111111111111111111111111111111111111111\","
    "\"stateRoot\":\"0x2222222222222222222222222222222222222222222222222222222222222222\"},";

/* Block 0 is the clients' then, and stands in the hash; it comes back as it was written. */
static void genesis_of_execution_clients(void **state)
{
    struct world *w = *state;
    struct genesis plain, g, again;
    size_t size = strlen(w->genesis) + sizeof clients_record;
    char *text = calloc(1, size);
    assert_non_null(text);
    snprintf(text, size, "%s%s", clients_record, w->genesis + 1);
    kit_write(&w->dir, "clients.json", text, 0600);
    free(text);
    assert_int_equal(
        genesis_file_read(&plain, kit_path(&w->dir, "genesis.json"), w->why, sizeof w->why), OK);
    assert_int_equal(
        genesis_file_read(&g, kit_path(&w->dir, "clients.json"), w->why, sizeof w->why), OK);
    assert_int_equal(g.execution, EXECUTION_PRAGUE);
    assert_true(g.payload.b[0] == 0x11 && g.state_root.b[31] == 0x22);
    struct hash a = genesis_hash(&plain), b = genesis_hash(&g);
    assert_false(hash_equal(&a, &b));
    assert_int_equal(
        genesis_file_write(&g, kit_path(&w->dir, "again.json"), w->why, sizeof w->why), OK);
    assert_int_equal(
        genesis_file_read(&again, kit_path(&w->dir, "again.json"), w->why, sizeof w->why), OK);
    struct hash c = genesis_hash(&again);
    assert_true(hash_equal(&b, &c));
    g.state_root.b[0] ^= 1;
    c = genesis_hash(&g);
    assert_false(hash_equal(&b, &c));
    genesis_free(&plain);
    genesis_free(&g);
    genesis_free(&again);
}

static void genesis_ends_with_its_text(void **state)
{
    struct world *w = *state;
    struct genesis g;
    size_t size = strlen(w->genesis) + 8;
    char *text = malloc(size);
    assert_non_null(text);
    snprintf(text, size, "%s{}", w->genesis);
    kit_write(&w->dir, "bad.json", text, 0644);
    free(text);
    assert_int_not_equal(
        genesis_file_read(&g, kit_path(&w->dir, "bad.json"), w->why, sizeof w->why), OK);
}

static void make_key(struct world *w, struct secret_key *key)
{
    assert_int_equal(key_generate(key), OK);
    assert_int_equal(keyfile_write(kit_path(&w->dir, "key.json"), key, bytes_of("secret", 6), true,
                                   w->why, sizeof w->why),
                     OK);
    kit_write(&w->dir, "password", "secret\n", 0600);
}

static enum err read_key(struct world *w, const char *name, struct secret_key *key)
{
    char path[256];
    char password[256];
    struct address a;
    snprintf(path, sizeof path, "%s", kit_path(&w->dir, name));
    snprintf(password, sizeof password, "%s", kit_path(&w->dir, "password"));
    return keyfile_read(key, &a, path, password, w->why, sizeof w->why);
}

static void key_comes_back(void **state)
{
    struct world *w = *state;
    struct secret_key key, read;
    struct address a, b;
    make_key(w, &key);
    assert_int_equal(read_key(w, "key.json", &read), OK);
    assert_memory_equal(key.b, read.b, 32);
    assert_int_equal(key_address(&a, &key), OK);
    assert_int_equal(keyfile_address(&b, kit_path(&w->dir, "key.json"), w->why, sizeof w->why), OK);
    assert_memory_equal(a.b, b.b, 20);
}

static void key_is_never_overwritten(void **state)
{
    struct world *w = *state;
    struct secret_key key;
    make_key(w, &key);
    assert_int_equal(keyfile_write(kit_path(&w->dir, "key.json"), &key, bytes_of("x", 1), true,
                                   w->why, sizeof w->why),
                     ERR_IN_USE);
}

static void key_readable_by_others_is_refused(void **state)
{
    struct world *w = *state;
    struct secret_key key;
    make_key(w, &key);
    assert_int_equal(chmod(kit_path(&w->dir, "key.json"), 0640), 0);
    assert_int_equal(read_key(w, "key.json", &key), ERR_REFUSED);
    assert_non_null(strstr(w->why, "mode 640"));
    assert_non_null(strstr(w->why, "chmod 600"));
    assert_int_equal(chmod(kit_path(&w->dir, "key.json"), 0600), 0);
    assert_int_equal(chmod(kit_path(&w->dir, "password"), 0604), 0);
    assert_int_equal(read_key(w, "key.json", &key), ERR_REFUSED);
}

static void key_behind_a_link_is_refused(void **state)
{
    struct world *w = *state;
    struct secret_key key;
    char target[256];
    make_key(w, &key);
    snprintf(target, sizeof target, "%s", kit_path(&w->dir, "key.json"));
    assert_int_equal(symlink(target, kit_path(&w->dir, "link.json")), 0);
    assert_int_equal(read_key(w, "link.json", &key), ERR_REFUSED);
    assert_non_null(strstr(w->why, "symbolic link"));
}

static void wrong_password_and_wrong_file_are_told_apart(void **state)
{
    struct world *w = *state;
    struct secret_key key;
    make_key(w, &key);
    kit_write(&w->dir, "password", "other", 0600);
    assert_int_equal(read_key(w, "key.json", &key), ERR_REFUSED);
    assert_non_null(strstr(w->why, "password"));
    kit_write(&w->dir, "half.json", "{\"version\":3", 0600);
    assert_int_equal(read_key(w, "half.json", &key), ERR_MALFORMED);
    assert_int_equal(read_key(w, "none.json", &key), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(genesis_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(genesis_of_execution_clients, setup, teardown),
        cmocka_unit_test_setup_teardown(genesis_is_read_strictly, setup, teardown),
        cmocka_unit_test_setup_teardown(genesis_ends_with_its_text, setup, teardown),
        cmocka_unit_test_setup_teardown(key_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(key_is_never_overwritten, setup, teardown),
        cmocka_unit_test_setup_teardown(key_readable_by_others_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(key_behind_a_link_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_password_and_wrong_file_are_told_apart, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
