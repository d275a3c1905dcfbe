/* The scripts of the fuzzer's corpus for the core (tests/fuzz/target_core.c), each once, with its
 * oracle: peers that lie, disks that are slow, clients that err. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>

#include "tests/fuzz/fuzz.h"

static void run_file(const char *name)
{
    static uint8_t content[65536];
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", CORPUS, name);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    size_t n = fread(content, 1, sizeof content, f);
    fclose(f);
    fuzz_core(bytes_of(content, n));
}

static void corpus(void **state)
{
    (void)state;
    int n = 0;
    DIR *folder = opendir(CORPUS);
    assert_non_null(folder);
    for (struct dirent *e; (e = readdir(folder)) != NULL;) {
        if (e->d_name[0] != '.') {
            run_file(e->d_name);
            n++;
        }
    }
    closedir(folder);
    print_message("%d scripts\n", n);
    assert_true(n >= 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
