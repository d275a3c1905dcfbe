#define _GNU_SOURCE
#include "node_kit.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/key.h"

void kit_dir_make(struct kit_dir *d)
{
    snprintf(d->path, sizeof d->path, "/tmp/baton-node-XXXXXX");
    assert_non_null(mkdtemp(d->path));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void kit_dir_remove(const struct kit_dir *d)
{
    nftw(d->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *kit_path(const struct kit_dir *d, const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", d->path, name);
    return path;
}

void kit_write(const struct kit_dir *d, const char *name, const char *text, unsigned mode)
{
    const char *path = kit_path(d, name);
    unlink(path);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, (mode_t)mode), 0);
}

char *kit_read(const struct kit_dir *d, const char *name)
{
    FILE *f = fopen(kit_path(d, name), "re");
    assert_non_null(f);
    char *text = calloc(1, 65536);
    assert_non_null(text);
    size_t n = fread(text, 1, 65535, f);
    assert_true(n > 0);
    fclose(f);
    return text;
}

void kit_genesis(struct genesis *g)
{
    memset(g, 0, sizeof *g);
    assert_int_equal(key_library_init(), OK);
    g->chain_id = 41197;
    g->timestamp_ms = 1700000000000;
    g->devnet = true;
    g->params = (struct epoch_params){FAULT_BFT, PACE_FIXED, 8, 3, 200, 200, 1, 30000000};
    g->seal_ms = GENESIS_SEAL_MS;
    g->base_fee = u256_from_u64(1000000000);
    g->n = 4;
    for (uint8_t i = 0; i < 4; i++) {
        struct secret_key key = {{0}};
        key.b[31] = (uint8_t)(i + 1);
        struct member *m = &g->member[i];
        assert_int_equal(key_address(&m->address, &key), OK);
        m->weight = 1;
        snprintf(m->name, sizeof m->name, "node%u", i);
        snprintf(m->endpoint, sizeof m->endpoint, "127.0.0.1:%u", 40000u + i);
    }
    g->allocs = 1;
    g->alloc = calloc(1, sizeof *g->alloc);
    assert_non_null(g->alloc);
    g->alloc[0].address = g->member[0].address;
    g->alloc[0].balance = u256_from_u64(1000000000000000000);
}
