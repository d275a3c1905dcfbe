/* Exit codes and first words of the built program: what scripts rely on (INTERFACE 1). */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char output[65536];
static char folder[64];

/* Runs `baton WORDS` in a shell, stdout and stderr together; -1 where it did not exit. */
static int run(const char *words)
{
    char command[1024];
    snprintf(command, sizeof command, "cd '%s' && '%s' %s 2>&1 </dev/null", folder, BATON_PROGRAM,
             words);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    size_t n = fread(output, 1, sizeof output - 1, f);
    output[n] = '\0';
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(const char *words, int code, const char *part)
{
    int got = run(words);
    if (got != code || strstr(output, part) == NULL) {
        print_error("baton %s: code %d, output: %s\n", words, got, output);
    }
    assert_int_equal(got, code);
    assert_non_null(strstr(output, part));
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/baton-cli-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    unsetenv("NO_COLOR");
    return setenv("XDG_RUNTIME_DIR", folder, 1);
}

static int tear_down(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void test_help(void **state)
{
    (void)state;
    static const char *const commands[] = {"devnet",  "chaos",  "node",      "keys",
                                           "genesis", "status", "incidents", "verify",
                                           "batch",   "bench",  "limits",    "version"};
    char words[64];
    expect("help", 0, "baton COMMAND");
    expect("help help", 0, "baton COMMAND");
    expect("--help", 0, "Exit codes");
    expect("", 2, "baton COMMAND");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        snprintf(words, sizeof words, "help %s", commands[i]);
        expect(words, 0, commands[i]);
        snprintf(words, sizeof words, "%s --help", commands[i]);
        expect(words, 0, commands[i]);
    }
    expect("bench load --help", 0, "--rate");
}

static void test_wrong_usage(void **state)
{
    (void)state;
    expect("devent", 2, "did you mean `devnet`");
    expect("devnet --node 3", 2, "did you mean --nodes");
    expect("devnet --nodes 0", 2, "expected 1 to 32");
    expect("devnet --el gath", 2, "expected ledger, geth");
    expect("devnet --el geth --block-time 200ms", 2, "1s or more");
    expect("devnet --el geth --l1 anvil", 2, "leave one of both out");
    expect("devnet --da calldata", 2, "--l1");
    expect("devnet --base-port 43001", 2, "expected 1024 to 43000");
    expect("keys nwe", 2, "did you mean `new`");
    expect("genesis check missing.json", 2, "missing.json");
    expect("verify certificate missing.json", 2, "genesis.json");
    expect("bench", 2, "bench load");
    expect("node --no-such-key 1", 2, "no-such-key");
}

static void test_nobody_there(void **state)
{
    (void)state;
    expect("status --rpc http://127.0.0.1:1", 4, "nobody answers");
    expect("incidents --rpc http://127.0.0.1:1", 4, "nobody answers");
    expect("chaos kill leader", 4, "no devnet runs");
    expect("chaos --dir . kill leader", 4, "no devnet runs");
    expect("bench load --rpc http://127.0.0.1:1 --for 1s", 4, "nobody answers");
}

static void test_lists(void **state)
{
    (void)state;
    expect("limits", 0, "MEMBERS");
    expect("limits --json", 0, "\"effect\"");
    expect("version", 0, "baton ");
    expect("--version", 0, "baton ");
    expect("version --json", 0, "\"version\"");
}

static void test_keys(void **state)
{
    char path[128];
    (void)state;
    snprintf(path, sizeof path, "%s/pw", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("secret words\n", f);
    fclose(f);
    assert_int_equal(chmod(path, 0644), 0);
    expect("keys new --light --out k.json --password-file pw", 3, "chmod 600");
    assert_int_equal(chmod(path, 0600), 0);
    expect("keys new --light --out k.json --password-file pw", 0, "0x");
    char address[43];
    memcpy(address, strstr(output, "0x"), 42);
    address[42] = '\0';
    expect("keys show k.json", 0, address);
    expect("keys new --light --out k.json --password-file pw", 3, "k.json");
    expect("keys export k.json --password-file pw", 3, "--yes");
    expect("keys export k.json --password-file pw --yes", 0, "0x");
    snprintf(path, sizeof path, "%s/raw", folder);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(strstr(output, "0x"), f);
    fclose(f);
    expect("keys import raw --light --out again.json --password-file pw", 0, address);
    expect("keys import pw --light --out third.json --password-file pw", 2, "64 hex digits");
}

static void test_genesis(void **state)
{
    (void)state;
    expect("genesis new --chain-id 7 --fault crash "
           "--member name=a,address=0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266,endpoint=h:1,"
           "provider=p,region=r "
           "--member name=b,address=0x70997970C51812dc3A010C7d01b50e0d17dc79C8,endpoint=h:2 "
           "--member name=c,address=0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC,endpoint=h:3 "
           "--alloc 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266=1000000000000000000",
           0, "");
    expect("genesis check genesis.json", 0, "ok");
    expect("genesis show genesis.json", 0, "quorum 2 of weight 3");
    expect("genesis show --json genesis.json", 0, "\"quorum\"");
    expect("genesis new --chain-id 7 --member name=a", 2, "address and endpoint");
    expect("genesis new --chain-id 7 --out b.json "
           "--member name=a,address=0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266,endpoint=h:1",
           2, "genesis");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help),         cmocka_unit_test(test_wrong_usage),
        cmocka_unit_test(test_nobody_there), cmocka_unit_test(test_lists),
        cmocka_unit_test(test_keys),         cmocka_unit_test(test_genesis),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
