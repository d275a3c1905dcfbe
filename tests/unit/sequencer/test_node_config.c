/* The configuration: where an error stands, what was expected, what to do; and what wins. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node_kit.h"
#include "sequencer/node/config.h"

struct world {
    struct kit_dir dir;
    struct config config;
    char why[512];
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    kit_dir_make(&w->dir);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    kit_dir_remove(&w->dir);
    free(w);
    return 0;
}

static enum err load(struct world *w, const char *yaml, const char *flag, const char *value)
{
    char file[256];
    kit_write(&w->dir, "node.yaml", yaml, 0644);
    snprintf(file, sizeof file, "%s", kit_path(&w->dir, "node.yaml"));
    char config[] = "--config";
    char *argv[5] = {config, file, (char *)(uintptr_t)flag, (char *)(uintptr_t)value, NULL};
    int argc = flag == NULL ? 2 : value == NULL ? 3 : 4;
    w->why[0] = '\0';
    return config_load(&w->config, argc, argv, w->why, sizeof w->why);
}

static void says(struct world *w, const char *yaml, const char *words)
{
    assert_int_equal(load(w, yaml, NULL, NULL), ERR_CONFIG);
    if (strstr(w->why, words) == NULL) {
        fail_msg("expected \"%s\" in: %s", words, w->why);
    }
}

static void unknown_key_has_its_place_and_a_suggestion(void **state)
{
    says(*state, "rpc: 127.0.0.1:1\nlog-levle: info\n",
         "node.yaml:2:1: unknown key 'log-levle'; did you mean 'log-level'?");
    says(*state, "qwertzuiop: 1\n", "unknown key 'qwertzuiop'; `baton node --help`");
}

static void bad_value_says_what_was_expected(void **state)
{
    says(*state, "head-stall: 5\n",
         "node.yaml:1:13: head-stall: '5': expected a duration with its unit");
    says(*state, "rpc: localhost\n", "expected host:port");
    says(*state, "rpc: localhost:70000\n", "expected host:port");
    says(*state, "vow-never-signed: yes\n", "expected true or false");
    says(*state, "log-level: loud\n", "expected error, warn, info or debug");
    says(*state, "el: geth\n", "expected ledger");
    says(*state, "el: http://127.0.0.1:1\nel-order: mine\n", "el-order");
    says(*state, "el: http://127.0.0.1:1\nel-fill: 1m\n", "el-fill");
    says(*state, "el: http://127.0.0.1:1\nl1: http://a\nl1-chain-id: 1\nl1-start: 1:0x0\n",
         "stay in files");
    says(*state, "l1: http://127.0.0.1:1\n", "expected l1-chain-id and l1-start");
    says(*state, "da: disk\n", "expected calldata or blob");
    says(*state, "fee-recipient: 0x12\n", "40 hex digits");
}

static void wrong_form_is_refused(void **state)
{
    says(*state, "rpc: 127.0.0.1:1\nrpc: 127.0.0.1:2\n", "node.yaml:2:1: key 'rpc' stands twice");
    says(*state, "rpc:\n  - a\n", "not a list");
    says(*state, "rpc:\n  a: b\n", "not a mapping");
    says(*state, "just words\n", "expected `key: value` lines");
    says(*state, "rpc: \"open\n", "node.yaml:");
}

static void later_sources_win(void **state)
{
    struct world *w = *state;
    setenv("BATON_NAME", "from-environment", 1);
    setenv("BATON_LOG_LEVEL", "warn", 1);
    enum err e =
        load(w, "name: from-file\nlog-level: debug\nhead-stall: 2s\n", "--name", "from-flag");
    unsetenv("BATON_NAME");
    unsetenv("BATON_LOG_LEVEL");
    assert_int_equal(e, OK);
    assert_string_equal(w->config.name, "from-flag");
    assert_string_equal(w->config.log_level, "warn");
    assert_int_equal(w->config.head_stall_ms, 2000);
}

static void paths_follow_the_file(void **state)
{
    struct world *w = *state;
    char want[300];
    assert_int_equal(load(w, "genesis: ../g.json\n", NULL, NULL), OK);
    snprintf(want, sizeof want, "%s/../g.json", w->dir.path);
    assert_string_equal(w->config.genesis, want);
    snprintf(want, sizeof want, "%s/key.json", w->dir.path);
    assert_string_equal(w->config.key, want);
    assert_string_equal(w->config.dir, w->dir.path);
}

static void flags_are_checked(void **state)
{
    struct world *w = *state;
    assert_int_equal(load(w, "", "--rcp", "127.0.0.1:1"), ERR_USAGE);
    assert_non_null(strstr(w->why, "did you mean --rpc?"));
    assert_int_equal(load(w, "", "--rpc", NULL), ERR_USAGE);
    assert_non_null(strstr(w->why, "expected a value"));
    assert_int_equal(load(w, "", "--vow-never-signed", NULL), OK);
    assert_true(w->config.vow_never_signed);
}

static void missing_file_is_named(void **state)
{
    struct world *w = *state;
    char flag[] = "--config=/nowhere/node.yaml";
    char *argv[] = {flag, NULL};
    assert_int_equal(config_load(&w->config, 1, argv, w->why, sizeof w->why), ERR_CONFIG);
    assert_non_null(strstr(w->why, "/nowhere/node.yaml cannot be read"));
}

static void what_is_written_is_read_again(void **state)
{
    struct world *w = *state;
    struct config before;
    assert_int_equal(
        load(w, "name: \"a \\\"b\\\"\"\nhead-stall: 1500ms\np2p: 127.0.0.1:9\nhosts: '*'\n", NULL,
             NULL),
        OK);
    before = w->config;
    assert_int_equal(config_write(&w->config, kit_path(&w->dir, "again.yaml")), OK);
    char *text = kit_read(&w->dir, "again.yaml");
    assert_null(strstr(text, "log-level"));
    assert_int_equal(load(w, text, NULL, NULL), OK);
    assert_memory_equal(&before, &w->config, sizeof before);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unknown_key_has_its_place_and_a_suggestion, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(bad_value_says_what_was_expected, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_form_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(later_sources_win, setup, teardown),
        cmocka_unit_test_setup_teardown(paths_follow_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(flags_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_file_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_written_is_read_again, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
