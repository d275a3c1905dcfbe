#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/key.h"

_Noreturn void fuzz_fail(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

uint8_t *fuzz_room(size_t n)
{
    static uint8_t *room;
    static size_t size;
    if (n > size) {
        free(room);
        room = malloc(n);
        DEMAND(room != NULL);
        size = n;
    }
    return room;
}

/* ---- scripts --------------------------------------------------------------------------------- */

uint8_t script_u8(struct bytes *in)
{
    if (in->n == 0) {
        return 0;
    }
    uint8_t v = in->p[0];
    *in = bytes_of(in->p + 1, in->n - 1);
    return v;
}

uint16_t script_u16(struct bytes *in)
{
    uint16_t high = script_u8(in);
    return (uint16_t)(high << 8 | script_u8(in));
}

struct bytes script_bytes(struct bytes *in, size_t most)
{
    struct bytes taken = bytes_of(in->p, in->n < most ? in->n : most);
    *in = bytes_of(in->p + taken.n, in->n - taken.n);
    return taken;
}

/* ---- members --------------------------------------------------------------------------------- */

static void fill_epoch(struct epoch_config *c)
{
    char why[256];
    c->chain_id = 1337;
    c->epoch = 3;
    c->n = 4;
    memset(c->genesis.b, 0x47, sizeof c->genesis.b);
    memset(c->registry.b, 0x52, sizeof c->registry.b);
    c->params = (struct epoch_params){FAULT_BFT, PACE_FIXED, 8, 3, 200, 200, 1, 30000000};
    DEMAND(key_library_init() == OK);
    for (uint8_t i = 0; i < c->n; i++) {
        struct secret_key key = {{0}};
        key.b[31] = (uint8_t)(i + 1);
        struct member *m = &c->member[i];
        DEMAND(key_address(&m->address, &key) == OK);
        m->weight = 1;
        snprintf(m->name, sizeof m->name, "node%u", i);
        snprintf(m->endpoint, sizeof m->endpoint, "127.0.0.1:%u", 40000u + i);
    }
    DEMAND(epoch_config_derive(c, why, sizeof why) == OK);
}

const struct epoch_config *fuzz_epoch(void)
{
    static struct epoch_config epoch;
    if (epoch.n == 0) {
        fill_epoch(&epoch);
    }
    return &epoch;
}

/* ---- files ----------------------------------------------------------------------------------- */

static char folder[64];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* In memory where the system has such a place. */
static void make_folder(void)
{
    snprintf(folder, sizeof folder, "%s/baton-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    DEMAND(mkdtemp(folder) != NULL);
    atexit(remove_folder);
}

const char *fuzz_file(const char *name, struct bytes content)
{
    static char path[128];
    if (folder[0] == '\0') {
        make_folder();
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    DEMAND(fd >= 0);
    DEMAND(write(fd, content.p, content.n) == (ssize_t)content.n);
    close(fd);
    return path;
}
