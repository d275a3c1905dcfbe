#define _GNU_SOURCE
/* WebSocket: behind a right upgrade, any bytes; what comes back is frames of a server. */
#include "tests/fuzz/http_pipe.h"

static const char upgrade[] = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/* Length of the frame at `p`; 0: none that a server may send (RFC 6455 5.1, 5.2). */
static size_t frame_length(const uint8_t *p, size_t n)
{
    if (n < 2 || (p[0] & 0x70) != 0 || (p[1] & 0x80) != 0) {
        return 0;
    }
    size_t head = p[1] == 127 ? 10 : p[1] == 126 ? 4 : 2;
    uint64_t length = p[1];
    if (n < head) {
        return 0;
    }
    if (p[1] >= 126) {
        length = p[1] == 127 ? load_be64(p + 2) : (uint64_t)p[2] << 8 | p[3];
    }
    return length <= n - head ? head + (size_t)length : 0;
}

static void check_frames(const struct text *t)
{
    const char *end = memmem(t->p, t->n, "\r\n\r\n", 4);
    DEMAND(end != NULL);
    const uint8_t *p = (const uint8_t *)end + 4;
    size_t n = t->n - (size_t)(end + 4 - t->p);
    while (n > 0) {
        size_t frame = frame_length(p, n);
        DEMAND(frame > 0);
        p += frame;
        n -= frame;
    }
}

void fuzz_ws(struct bytes in)
{
    size_t piece = 1 + script_u8(&in);
    unsigned how = piece == 256 ? PIPE_SLOW : 0;
    struct bytes before = bytes_of(upgrade, sizeof upgrade - 1);
    struct text whole = http_pipe(before, in, SIZE_MAX, how);
    check_frames(&whole);
    text_free(&whole);
    struct text cut = http_pipe(before, in, piece, how); /* a worker may answer sooner or later */
    check_frames(&cut);
    text_free(&cut);
}
