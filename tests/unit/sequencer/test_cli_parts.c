/* The parts of the command line that need no node: derivation of the test accounts, options,
 * suggestions, chaos orders, the outage as clients see it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sequencer/cli/address_text.h"
#include "sequencer/cli/chaos.h"
#include "sequencer/cli/gap.h"
#include "sequencer/cli/mnemonic.h"
#include "sequencer/cli/options.h"
#include "sequencer/cli/suggest.h"

/* ---- mnemonic -------------------------------------------------------------------------------- */

static const char *const well_known[] = {
    "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC", "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
    "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65", "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc",
    "0x976EA74026E726554dB657fA54763abd0C3a0aa9", "0x14dC79964da2C08b23698B3D3cc7Ca32193d9955",
    "0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f", "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720",
};

static void test_accounts_are_the_well_known_ones(void **state)
{
    uint8_t seed[64];
    (void)state;
    assert_int_equal(key_library_init(), OK);
    assert_int_equal(mnemonic_seed(seed, MNEMONIC_TEST), OK);
    for (uint32_t i = 0; i < 10; i++) {
        struct secret_key key;
        struct address derived;
        struct address expected;
        assert_int_equal(mnemonic_key(&key, seed, i), OK);
        assert_int_equal(key_address(&derived, &key), OK);
        assert_true(hex_decode(expected.b, 20, well_known[i]));
        assert_memory_equal(derived.b, expected.b, 20);
        char text[HEX_SIZE(20)];
        address_text(text, &derived);
        assert_string_equal(text, well_known[i]); /* EIP-55 */
    }
}

static void test_first_key_is_the_published_one(void **state)
{
    uint8_t seed[64];
    uint8_t expected[32];
    struct secret_key key;
    (void)state;
    assert_true(hex_decode(expected, 32,
                           "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"));
    assert_int_equal(mnemonic_seed(seed, MNEMONIC_TEST), OK);
    assert_int_equal(mnemonic_key(&key, seed, 0), OK);
    assert_memory_equal(key.b, expected, 32);
}

/* ---- options --------------------------------------------------------------------------------- */

struct values {
    bool flag;
    const char *text;
    uint64_t number;
    uint64_t ms;
    const char *choice;
    struct option_list list;
};

static struct values values;
static struct words words;
static char why[256];

static enum err parse(bool *help, int argc, const char *const *argv)
{
    const struct option table[] = {
        {"json", OPTION_FLAG, &values.flag, "", 0, 0, ""},
        {"dir", OPTION_TEXT, &values.text, "DIR", 0, 0, ""},
        {"nodes", OPTION_NUMBER, &values.number, "N", 1, 32, ""},
        {"block-time", OPTION_DURATION, &values.ms, "TIME", 50, 10000, ""},
        {"fault", OPTION_CHOICE, &values.choice, "bft|crash", 0, 0, ""},
        {"member", OPTION_LIST, &values.list, "M", 0, 0, ""},
    };
    const struct command_line line = {"devnet", "", "", table, 6};
    static char kept[8][64]; /* what is parsed borrows from argv */
    char *list[8];
    for (int i = 0; i < argc; i++) {
        strncpy(kept[i], argv[i], sizeof kept[i] - 1);
        list[i] = kept[i];
    }
    memset(&values, 0, sizeof values);
    memset(&words, 0, sizeof words);
    why[0] = '\0';
    return options_parse(&line, argc, list, &words, help, why, sizeof why);
}

static void accepts(int argc, const char *const *argv)
{
    bool help = true;
    assert_int_equal(parse(&help, argc, argv), OK);
    assert_false(help);
}

static void refuses(const char *sentence, int argc, const char *const *argv)
{
    bool help = false;
    assert_int_equal(parse(&help, argc, argv), ERR_USAGE);
    assert_string_equal(why, sentence);
}

static void test_options_of_every_kind(void **state)
{
    (void)state;
    const char *const argv[] = {"--json", "--dir", "x y", "--nodes=7", "--block-time", "1.5s"};
    accepts(6, argv);
    assert_true(values.flag);
    assert_string_equal(values.text, "x y");
    assert_int_equal(values.number, 7);
    assert_int_equal(values.ms, 1500);
    const char *const more[] = {"--fault", "crash", "--member", "a", "--member=b"};
    accepts(5, more);
    assert_string_equal(values.choice, "crash");
    assert_int_equal(values.list.n, 2);
    assert_string_equal(values.list.item[1], "b");
}

static void test_words_and_their_end(void **state)
{
    (void)state;
    const char *const argv[] = {"kill", "--json", "-", "--", "--dir"};
    accepts(5, argv);
    assert_int_equal(words.n, 3);
    assert_string_equal(words.word[0], "kill");
    assert_string_equal(words.word[1], "-");
    assert_string_equal(words.word[2], "--dir");
}

static void test_help_wins_over_errors(void **state)
{
    (void)state;
    bool help = false;
    const char *const argv[] = {"--nodes", "none", "--help"};
    assert_int_equal(parse(&help, 3, argv), OK);
    assert_true(help);
}

static void test_errors_are_precise(void **state)
{
    (void)state;
    refuses("--nodes 33: expected 1 to 32", 2, (const char *const[]){"--nodes", "33"});
    refuses("--nodes 4x: expected a whole number", 2, (const char *const[]){"--nodes", "4x"});
    refuses("--block-time 200: expected a duration with its unit, for example 200ms, 1.5s or 2m", 2,
            (const char *const[]){"--block-time", "200"});
    refuses("--block-time 49ms: expected 50ms to 10s", 1,
            (const char *const[]){"--block-time=49ms"});
    refuses("--fault bf: expected one of bft|crash", 2, (const char *const[]){"--fault", "bf"});
    refuses("--dir needs a value: --dir DIR", 1, (const char *const[]){"--dir"});
    refuses("there is no option --node; did you mean --nodes?", 1, (const char *const[]){"--node"});
    refuses("--json yes: expected no value: it is a switch", 1,
            (const char *const[]){"--json=yes"});
    refuses("`-j`: options begin with two dashes", 1, (const char *const[]){"-j"});
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"0ms", 0}, {"200ms", 200}, {"0.25s", 250}, {"2m", 120000}, {"1h", 3600000}};
    static const char *const bad[] = {
        "", "s", "5", "1.5ms", "-1s", "1 s", "1sec", "1.s", "99999999999999999999s"};
    uint64_t ms = 0;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(duration_parse(&ms, good[i].text));
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(duration_parse(&ms, bad[i]));
    }
}

/* ---- suggestions ----------------------------------------------------------------------------- */

static void test_suggestions(void **state)
{
    (void)state;
    static const char *const known[] = {"devnet", "chaos", "node", "keys", "genesis", "status"};
    assert_int_equal(edit_distance("kitten", "sitting"), 3);
    assert_int_equal(edit_distance("ndoe", "node"), 1);
    assert_string_equal(suggest("devent", known, 6), "devnet");
    assert_string_equal(suggest("gen", known, 6), "genesis");
    assert_string_equal(suggest("stauts", known, 6), "status");
    assert_null(suggest("zzzzzz", known, 6));
    assert_null(suggest("x", known, 6));
}

/* ---- chaos ----------------------------------------------------------------------------------- */

static enum err order(struct chaos_order *out, size_t n, const char *const *word)
{
    return chaos_parse(out, word, n, 4, why, sizeof why);
}

static void test_orders(void **state)
{
    (void)state;
    struct chaos_order o;
    assert_int_equal(order(&o, 2, (const char *const[]){"kill", "leader"}), OK);
    assert_int_equal(o.action, CHAOS_KILL);
    assert_int_equal(o.node, CHAOS_LEADER);
    assert_int_equal(order(&o, 3, (const char *const[]){"slow", "3", "400ms"}), OK);
    assert_int_equal(o.node, 3);
    assert_int_equal(o.value, 400);
    assert_int_equal(order(&o, 3, (const char *const[]){"drop", "1", "30%"}), OK);
    assert_int_equal(o.value, 30);
    assert_int_equal(order(&o, 3, (const char *const[]){"skew", "1", "-5s"}), OK);
    assert_int_equal(o.value, -5000);
    assert_false(o.client);
    assert_int_equal(order(&o, 3, (const char *const[]){"stop", "el", "2"}), OK);
    assert_true(o.client && o.node == 2 && o.action == CHAOS_STOP);
    assert_int_equal(order(&o, 3, (const char *const[]){"kill", "el", "leader"}), OK);
    assert_true(o.client && o.node == CHAOS_LEADER);
    assert_int_equal(order(&o, 1, (const char *const[]){"heal"}), OK);
    assert_int_equal(o.node, CHAOS_ALL);
}

static void test_bad_orders(void **state)
{
    (void)state;
    struct chaos_order o;
    assert_int_equal(order(&o, 0, NULL), ERR_USAGE);
    assert_int_equal(order(&o, 1, (const char *const[]){"kill"}), ERR_USAGE);
    assert_int_equal(order(&o, 2, (const char *const[]){"kill", "4"}), ERR_USAGE);
    assert_int_equal(order(&o, 3, (const char *const[]){"drop", "1", "101%"}), ERR_USAGE);
    assert_int_equal(order(&o, 2, (const char *const[]){"partition", "0,0/1"}), ERR_USAGE);
    assert_int_equal(order(&o, 2, (const char *const[]){"partition", "0,x"}), ERR_USAGE);
    assert_int_equal(order(&o, 2, (const char *const[]){"kill", "el"}), ERR_USAGE);
    assert_int_equal(order(&o, 3, (const char *const[]){"restart", "el", "1"}), ERR_USAGE);
    assert_int_equal(order(&o, 2, (const char *const[]){"kil", "1"}), ERR_USAGE);
    assert_non_null(strstr(why, "did you mean `kill`"));
}

static void test_partition_cuts_the_other_groups(void **state)
{
    (void)state;
    struct chaos_order o;
    assert_int_equal(order(&o, 2, (const char *const[]){"partition", "0,1/2"}), OK);
    struct json_object *params = chaos_params(&o, 4, 1);
    assert_string_equal(json_object_to_json_string_ext(params, JSON_C_TO_STRING_PLAIN),
                        "[\"partition\",[2,3]]");
    json_object_put(params);
    params = chaos_params(&o, 4, 3);
    assert_string_equal(json_object_to_json_string_ext(params, JSON_C_TO_STRING_PLAIN),
                        "[\"partition\",[0,1,2]]");
    json_object_put(params);
}

/* ---- the outage ------------------------------------------------------------------------------ */

static void test_outage_counts_new_heads_only(void **state)
{
    (void)state;
    struct gap g = {0};
    assert_true(gap_head(&g, 10, 1000000));
    assert_true(gap_head(&g, 11, 1200000));
    assert_false(gap_head(&g, 11, 1250000)); /* the same head at another node */
    assert_false(gap_head(&g, 9, 1300000));
    assert_true(gap_head(&g, 12, 1400000));
    assert_true(gap_outage_ms(&g, 200) < 0.001);
    gap_restart(&g);
    assert_true(gap_head(&g, 13, 1850000));
    assert_int_equal(g.heads, 1);
    assert_true(gap_outage_ms(&g, 200) > 249.9 && gap_outage_ms(&g, 200) < 250.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accounts_are_the_well_known_ones),
        cmocka_unit_test(test_first_key_is_the_published_one),
        cmocka_unit_test(test_options_of_every_kind),
        cmocka_unit_test(test_words_and_their_end),
        cmocka_unit_test(test_help_wins_over_errors),
        cmocka_unit_test(test_errors_are_precise),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_suggestions),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_bad_orders),
        cmocka_unit_test(test_partition_cuts_the_other_groups),
        cmocka_unit_test(test_outage_counts_new_heads_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
