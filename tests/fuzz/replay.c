/* replay CORPUS [target…]: every input of every target's corpus once, without libFuzzer, so that
 * any compiler and any sanitizer can look at them. Each target is a test in the way of cmocka. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

enum { INPUT_MOST = 1 << 20 };

static const struct target {
    const char *name;
    void (*run)(struct bytes in);
} targets[] = {
#define FUZZ(name, decodes) {#name, fuzz_##name},
#include "tests/fuzz/targets.def"
#undef FUZZ
};

/* In memory of exactly its size, so that a byte too far is seen. */
static bool run_file(const struct target *t, const char *path)
{
    static uint8_t content[INPUT_MOST];
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return false;
    }
    size_t n = fread(content, 1, sizeof content, f);
    fclose(f);
    uint8_t *exact = malloc(n > 0 ? n : 1);
    if (exact == NULL) {
        return false;
    }
    memcpy(exact, content, n);
    t->run(bytes_of(exact, n));
    free(exact);
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
            n += run_file(t, path);
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
