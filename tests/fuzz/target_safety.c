/* The safety record: two slots with whatever stands in them, with right checksums (else nothing
 * would come past them) or as they are; then the file of both, on a disk that reads in pieces or
 * not at all, which must find the newest valid one. */
#include <errno.h>

#include "proto/keccak.h"
#include "storage/safety_file.h"
#include "tests/fuzz/fuzz.h"

enum { CHECKSUM = 32, CONTENT = SAFETY_SLOT_BYTES - CHECKSUM };

static void fill(uint8_t slot[SAFETY_SLOT_BYTES], struct bytes content, bool sealed)
{
    memset(slot, 0, SAFETY_SLOT_BYTES);
    if (content.n > 0) {
        memcpy(slot, content.p, content.n);
    }
    if (sealed) {
        struct hash sum = keccak256(slot, CONTENT);
        memcpy(slot + CONTENT, sum.b, sizeof sum.b);
    }
}

static bool decode(struct safety_record *out, const uint8_t slot[SAFETY_SLOT_BYTES])
{
    uint8_t again[SAFETY_SLOT_BYTES];
    if (safety_record_decode(out, slot) != OK) {
        return false;
    }
    DEMAND(out->votes <= LIMIT_STEP_VOTES);
    safety_record_encode(again, out);
    DEMAND(memcmp(again, slot, sizeof again) == 0);
    return true;
}

/* ---- the file, in memory --------------------------------------------------------------------- */

enum { SHORT = 8, BROKEN = 16, PIECE = 1000 };

struct disk {
    struct bytes file;
    uint8_t how;
    bool interrupted; /* the last read was */
};

static int disk_open(void *ctx, const char *path, bool make)
{
    (void)ctx;
    DEMAND(!make);
    errno = strcmp(path, "none") == 0 ? ENOENT : EACCES;
    return strcmp(path, "safety") == 0 ? 7 : -1;
}

static void disk_close(void *ctx, int fd)
{
    (void)ctx;
    DEMAND(fd == 7);
}

/* Every second read is interrupted, and each gives less than was asked for; or the second slot
 * cannot be read. */
static ssize_t disk_read(void *ctx, int fd, void *p, size_t n, uint64_t at)
{
    struct disk *d = ctx;
    DEMAND(fd == 7 && at + n <= 2 * SAFETY_SLOT_BYTES);
    d->interrupted = (d->how & SHORT) != 0 && !d->interrupted;
    bool broken = (d->how & BROKEN) != 0 && at >= SAFETY_SLOT_BYTES;
    if (d->interrupted || broken) {
        errno = d->interrupted ? EINTR : EIO;
        return -1;
    }
    n = (d->how & SHORT) != 0 && n > PIECE ? PIECE : n;
    n = at > d->file.n ? 0 : n < d->file.n - at ? n : d->file.n - (size_t)at;
    memcpy(p, d->file.p + at, n);
    return (ssize_t)n;
}

static void check_file(const struct safety_record r[2], const bool valid[2], struct disk *d)
{
    struct io io = io_system;
    struct safety_file f;
    io.ctx = d;
    io.open = disk_open;
    io.close = disk_close;
    io.read = disk_read;
    DEMAND(safety_file_open(&f, &io, "none") == ERR_NOT_FOUND);
    DEMAND(safety_file_open(&f, &io, "closed") == ERR_IO);
    DEMAND(safety_file_open(&f, &io, "safety") == OK);
    DEMAND(f.found == (valid[0] || valid[1]));
    for (int i = 0; i < 2; i++) {
        DEMAND(!valid[i] || f.newest.sequence >= r[i].sequence);
    }
    safety_file_close(&f);
}

void fuzz_safety(struct bytes in)
{
    uint8_t file[2 * SAFETY_SLOT_BYTES];
    struct safety_record r[2];
    bool valid[2];
    uint8_t how = script_u8(&in);
    size_t half = (size_t)script_u8(&in) * CONTENT / 255;
    for (int i = 0; i < 2; i++) {
        uint8_t *slot = file + i * SAFETY_SLOT_BYTES;
        fill(slot, script_bytes(&in, i == 0 ? half : CONTENT), (how & 1 << i) == 0);
        valid[i] = decode(&r[i], slot);
    }
    struct disk d = {.file = bytes_of(file, sizeof file), .how = how};
    d.file.n = (how & 4) == 0 ? sizeof file : SAFETY_SLOT_BYTES + 7;
    valid[1] = valid[1] && (how & (4 | BROKEN)) == 0;
    check_file(r, valid, &d);
}
