/* replay CORPUS [target…]: every input of every target's corpus once, without libFuzzer, so that
 * any compiler and any sanitizer can look at them. Each target is a test in the way of cmocka.
 *
 * Files wide-* stand for inputs of megabytes, beyond what a decoder may take: three numbers of 32
 * bits (at, length, times), then content whose `length` bytes from `at` on stand there `times`
 * times. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

enum { INPUT_MOST = 1 << 20, WIDE_HEAD = 12, WIDE_MOST = 1 << 28 };

static const struct target {
    const char *name;
    void (*run)(struct bytes in);
} targets[] = {
#define FUZZ(name, decodes) {#name, fuzz_##name},
#include "tests/fuzz/targets.def"
#undef FUZZ
};

/* In memory of exactly its size, so that a byte too far is seen. */
static uint8_t *exact(size_t n)
{
    uint8_t *p = malloc(n > 0 ? n : 1);
    DEMAND(p != NULL);
    return p;
}

static void run_bytes(const struct target *t, struct bytes in)
{
    uint8_t *p = exact(in.n);
    memcpy(p, in.p, in.n);
    t->run(bytes_of(p, in.n));
    free(p);
}

static void run_wide(const struct target *t, struct bytes in)
{
    DEMAND(in.n >= WIDE_HEAD);
    size_t at = load_be32(in.p);
    size_t length = load_be32(in.p + 4);
    size_t times = load_be32(in.p + 8);
    const uint8_t *from = in.p + WIDE_HEAD;
    size_t n = in.n - WIDE_HEAD;
    DEMAND(at <= n && length <= n - at && times >= 1 && length * times <= WIDE_MOST);
    size_t more = (times - 1) * length;
    uint8_t *p = exact(n + more);
    memcpy(p, from, at);
    for (size_t i = 0; i < times; i++) {
        memcpy(p + at + i * length, from + at, length);
    }
    memcpy(p + at + length + more, from + at + length, n - at - length);
    t->run(bytes_of(p, n + more));
    free(p);
}

static bool run_file(const struct target *t, const char *path, bool wide)
{
    static uint8_t content[INPUT_MOST];
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return false;
    }
    struct bytes in = bytes_of(content, fread(content, 1, sizeof content, f));
    fclose(f);
    if (wide) {
        run_wide(t, in);
    } else {
        run_bytes(t, in);
    }
    return true;
}

static int run_target(const struct target *t, const char *corpus)
{
    char path[4096];
    int n = 0;
    snprintf(path, sizeof path, "%s/%s", corpus, t->name);
    DIR *folder = opendir(path);
    struct dirent *e;
    printf("[ RUN      ] fuzz_%s\n", t->name);
    fflush(stdout);
    while (folder != NULL && (e = readdir(folder)) != NULL) {
        snprintf(path, sizeof path, "%s/%s/%s", corpus, t->name, e->d_name);
        if (e->d_name[0] != '.') {
            n += run_file(t, path, strncmp(e->d_name, "wide-", 5) == 0);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    printf("%d inputs\n[  %s ] fuzz_%s\n", n, n > 0 ? "     OK" : "FAILED ", t->name);
    return n > 0 ? 0 : 1;
}

static bool is_chosen(const char *name, int argc, char **argv)
{
    bool chosen = argc <= 2;
    for (int i = 2; i < argc; i++) {
        chosen = chosen || strcmp(argv[i], name) == 0;
    }
    return chosen;
}

int main(int argc, char **argv)
{
    int failed = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: replay CORPUS [target…]\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        if (is_chosen(targets[i].name, argc, argv)) {
            failed += run_target(&targets[i], argv[1]);
        }
    }
    return failed == 0 ? 0 : 1;
}
