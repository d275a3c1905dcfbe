#include "proto/pb.h"

static void append_write(ProtobufCBuffer *base, size_t n, const uint8_t *p)
{
    struct pb_sink *s = (struct pb_sink *)base;
    s->ok = s->ok && n <= s->left;
    if (!s->ok || n == 0) {
        return;
    }
    memcpy(s->out, p, n);
    s->out += n;
    s->left -= n;
}

static void append_compare(ProtobufCBuffer *base, size_t n, const uint8_t *p)
{
    struct pb_sink *s = (struct pb_sink *)base;
    s->ok = s->ok && n <= s->left && (n == 0 || memcmp(s->expected, p, n) == 0);
    if (s->ok) {
        s->expected += n;
        s->left -= n;
    }
}

void pb_sink_write(struct pb_sink *s, uint8_t *out, size_t cap)
{
    *s = (struct pb_sink){.base = {append_write}, .out = out, .left = cap, .ok = true};
}

void pb_sink_compare(struct pb_sink *s, struct bytes expected)
{
    *s = (struct pb_sink){.base = {append_compare}, .expected = expected.p, .left = expected.n,
                          .ok = true};
}

enum err pb_sink_done(const struct pb_sink *s)
{
    if (s->out != NULL) {
        return s->ok ? OK : ERR_INVARIANT;
    }
    return s->ok && s->left == 0 ? OK : ERR_NOT_CANONICAL;
}
