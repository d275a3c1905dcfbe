#define _GNU_SOURCE
/* Reads DIR/batches beside its writer: a segment stands when its envelope stands, and both files
 * have their last bytes by then (batcher/layer_file.h). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sequencer/node/l1_parts.h"

enum { SEGMENT_FILE_MAX = 1 << 26 };

static int open_file(const char *dir, uint64_t first, const char *kind)
{
    char path[L1_DIR + 64];
    snprintf(path, sizeof path, "%s/batches/%012" PRIu64 ".%s", dir, first, kind);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static enum err read_whole(int fd, struct buffer *out)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size < 0 || st.st_size > SEGMENT_FILE_MAX) {
        return ERR_IO;
    }
    size_t n = (size_t)st.st_size;
    uint8_t *p = malloc(n + 1);
    if (p == NULL) {
        return ERR_NO_MEMORY;
    }
    ssize_t got = pread(fd, p, n, 0);
    buffer_put(out, p, n);
    free(p);
    return got >= 0 && (size_t)got == n ? out->bad : ERR_IO;
}

static enum err read_file(const char *dir, uint64_t first, const char *kind, struct buffer *out)
{
    int fd = open_file(dir, first, kind);
    if (fd < 0) {
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    }
    enum err e = read_whole(fd, out);
    close(fd);
    return e;
}

enum err l1_segment_bytes(const char *dir, uint64_t first, struct buffer *payload,
                          struct buffer *envelope)
{
    TRY(read_file(dir, first, "auth", envelope));
    return read_file(dir, first, "seg", payload);
}

static enum err describe(struct bytes envelope, struct l1_segment *out)
{
    struct fault fault;
    struct batch_auth *a = malloc(sizeof *a);
    if (a == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err e = auth_decode(a, envelope, &fault);
    if (e == OK) {
        const struct header *last = &a->header[a->headers - 1];
        out->no = a->segment;
        out->first = a->first;
        out->last = a->last;
        out->first_ms = a->first_ms;
        out->proposer = (uint8_t)last->leader;
        out->last_hash = a->last_hash;
        out->root = a->root;
        out->channel = a->channel;
    }
    free(a);
    return e;
}

static enum err payload_size(const char *dir, uint64_t first, size_t *out)
{
    struct stat st = {.st_size = 0};
    int fd = open_file(dir, first, "seg");
    if (fd < 0) {
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    }
    bool well = fstat(fd, &st) == 0 && st.st_size >= 0;
    close(fd);
    *out = (size_t)st.st_size;
    return well ? OK : ERR_IO;
}

enum err l1_segment_read(const char *dir, uint64_t first, struct l1_segment *out)
{
    struct buffer envelope;
    buffer_init(&envelope, SEGMENT_FILE_MAX);
    enum err e = read_file(dir, first, "auth", &envelope);
    e = e == OK ? payload_size(dir, first, &out->payload) : e;
    e = e == OK ? describe(buffer_bytes(&envelope), out) : e;
    buffer_free(&envelope);
    return e;
}
