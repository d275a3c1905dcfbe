/* Inputs at and beyond the bounds of the decoders: a few bytes, one part of which stands there many
 * times (replay.c says how). */
#include "proto/header.h"
#include "proto/limits.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds.h"

enum { HEAD = 12, ROOM = 8192, MANY = 1 << 20 };

static uint8_t room[ROOM];
static size_t used;

static void put(const void *p, size_t n)
{
    DEMAND(used + n <= sizeof room);
    memcpy(room + used, p, n);
    used += n;
}

/* `before`, then `times` times `unit`, then `after`. */
static void wide(const char *target, const char *name, struct bytes before, struct bytes unit,
                 size_t times, struct bytes after)
{
    uint8_t head[HEAD];
    store_be32(head, (uint32_t)before.n);
    store_be32(head + 4, (uint32_t)unit.n);
    store_be32(head + 8, (uint32_t)times);
    used = 0;
    put(head, sizeof head);
    put(before.p, before.n);
    put(unit.p, unit.n);
    put(after.p, after.n);
    seed_wide(target, name, bytes_of(room, used));
}

static struct bytes nothing(void)
{
    return bytes_of("", 0);
}

static void many(const char *target, const char *name, const char *before, size_t before_n,
                 uint8_t unit, size_t times)
{
    wide(target, name, bytes_of(before, before_n), bytes_of(&unit, 1), times, nothing());
}

/* ---- RLP ---------------------------------------------------------------------------------------
 */

static void wide_bodies(void)
{
    static const char large_tx[] = "\xfa\x02\x00\x05\xba\x02\x00\x01";
    static const char crowd[] = "\xf9\x40\x01";
    many("body", "large", "", 0, 0xc0, LIMIT_BODY_BYTES + 1);
    many("body", "tx", large_tx, sizeof large_tx - 1, 1, LIMIT_TX_BYTES + 1);
    many("body", "txs", crowd, sizeof crowd - 1, 1, LIMIT_BODY_TXS + 1);
    many("system", "large", "", 0, 0xc0, LIMIT_SYSTEM_BYTES + 1);
}

/* An access list of one entry more than there may be, and a transaction larger than it may be; and
 * a legacy one whose data make the length of what is signed three bytes wide. */
static void wide_txs(void)
{
    static const uint8_t list[] = {1, 0xfa, 1, 0x70, 0x25, 1, 1,    1,
                                   1, 0x80, 1, 0x80, 0xfa, 1, 0x70, 0x17};
    static const uint8_t data[] = {2, 0xfa, 1, 0, 0x15, 1, 1, 1, 1, 1, 0x80, 1, 0xba, 1, 0, 4};
    static const uint8_t tail[] = {0xc0, 1, 1, 1};
    uint8_t entry[23] = {0xd6, 0x94};
    uint8_t zero = 0;
    entry[22] = 0xc0;
    wide("tx", "list", bytes_of(list, sizeof list), bytes_of(entry, sizeof entry),
         LIMIT_ACCESS_LIST + 1, bytes_of("\1\1\1", 3));
    wide("tx", "data", bytes_of(data, sizeof data), bytes_of(&zero, 1), 65540,
         bytes_of(tail, sizeof tail));
    many("tx", "large", "", 0, 0xc0, LIMIT_TX_BYTES + 1);
}

/* ---- messages and records ----------------------------------------------------------------------
 */

static size_t put_varint(uint8_t *out, uint64_t v)
{
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) {
        out[n++] = (uint8_t)(v | 0x80);
    }
    out[n++] = (uint8_t)v;
    return n;
}

/* A field of bytes: its tag and length, then `n` bytes of which `fixed` are already there. */
static size_t put_tag(uint8_t *out, unsigned field, uint64_t n)
{
    size_t at = put_varint(out, field << 3 | 2);
    return at + put_varint(out + at, n);
}

static size_t tag_size(unsigned field, uint64_t n)
{
    uint8_t out[20];
    return put_tag(out, field, n);
}

/* A message of `kind` whose part `part` is `n` bytes, after `fixed` bytes of other parts. */
static void wide_part(const char *name, unsigned kind, unsigned part, size_t n, struct bytes fixed)
{
    uint8_t before[1024];
    size_t at = put_tag(before, kind, fixed.n + tag_size(part, n) + n);
    memcpy(before + at, fixed.p, fixed.n);
    at += fixed.n;
    at += put_tag(before + at, part, n);
    many("message", name, (const char *)before, at, 7, n);
}

static void wide_system(void)
{
    uint8_t head[HEADER_BYTES + 128];
    uint8_t before[1024];
    uint8_t header[HEADER_BYTES];
    struct header h = {.chain_id = 1337};
    size_t n = LIMIT_SYSTEM_BYTES + 1;
    header_encode(header, &h);
    size_t at = put_tag(head, 1, sizeof header);
    memcpy(head + at, header, sizeof header);
    at += sizeof header;
    at += put_tag(head + at, 2, 65);
    memset(head + at, 1, 65);
    at += 65;
    at += put_tag(head + at, 3, n);
    size_t m = put_tag(before, 1, at + n); /* the head in a proposal */
    memcpy(before + m, head, at);
    size_t k = put_tag(head, 4, m + at + n);
    memmove(before + k, before, m + at);
    memcpy(before, head, k);
    many("message", "system", (const char *)before, k + m + at, 0, n);
}

/* Fields that nobody knows fill the memory that a frame is given; what is left does not hold the
 * array of the parts that the message counts. */
static void wide_crowds(void)
{
    static const struct {
        const char *name;
        unsigned field, part;
        size_t n, times;
    } crowd[] = {{"votes", 2, 1, LIMIT_FRAME_VOTES, 5500},
                 {"certs", 3, 1, LIMIT_BUNDLE_CERTS, 4000},
                 {"heads", 3, 2, LIMIT_BUNDLE_HEADERS, 5900},
                 {"blocks", 9, 1, LIMIT_SYNC_BLOCKS, 5600},
                 {"txs", 10, 1, LIMIT_INTAKE_BATCH, 5000}};
    static const uint8_t unknown[] = {0xa0, 6, 0};
    uint8_t before[ROOM / 2];
    for (size_t i = 0; i < sizeof crowd / sizeof crowd[0]; i++) {
        size_t at = put_tag(before, crowd[i].field, 2 * crowd[i].n);
        for (size_t k = 0; k < crowd[i].n; k++) {
            before[at++] = (uint8_t)(crowd[i].part << 3 | 2);
            before[at++] = 0;
        }
        wide("message", crowd[i].name, bytes_of(before, at), bytes_of(unknown, sizeof unknown),
             crowd[i].times, nothing());
    }
}

static void wide_messages(void)
{
    uint8_t block[34] = {10, 32};
    many("message", "frame", "", 0, 0, LIMIT_FRAME_SYNC + 1);
    wide_part("control", 2, 100, LIMIT_FRAME_CONTROL, nothing());
    wide_part("tx", 10, 1, LIMIT_TX_BYTES + 1, nothing());
    wide_part("ack", 11, 1, 32 * (LIMIT_INTAKE_WAITING + 1), nothing());
    wide_part("body", 5, 2, LIMIT_BODY_BYTES + 1, bytes_of(block, sizeof block));
    wide_part("body-fits", 5, 2, 3 * MANY, bytes_of(block, sizeof block));
    wide_system();
    many("journal", "large", "", 0, 0, 8 * MANY);
    many("block", "large", "", 0, 0, 8 * MANY);
    many("certificate", "large", "", 0, 0, MANY);
}

/* ---- batches ------------------------------------------------------------------------------------
 */

/* The beginning of a span of `blocks` blocks, up to the counts of their transactions. */
static size_t put_span(uint8_t *out, uint8_t blocks)
{
    memset(out, 0, 64);
    out[0] = 1;
    out[43] = blocks;
    return 45;
}

static void wide_batches(void)
{
    static const uint8_t beyond[] = {0x81, 0xad, 0xe2, 4}; /* LIMIT_SPAN_ELEMENTS + 1 */
    static const uint8_t bound[] = {0x80, 0xad, 0xe2, 4, 1};
    static const uint8_t code[] = {4, 0xc6, 1, 1, 1, 0x80, 0xc0, 0xc0, 0, 0};
    static const char list[] = "\xfa\x98\x96\x81";
    uint8_t out[256];
    size_t n = put_span(out, 1);
    memcpy(out + n, beyond, sizeof beyond);
    seed_put("batch", "count", bytes_of(out, n + sizeof beyond));
    static const uint8_t last[] = {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1};
    seed_put("batch", "last-time", bytes_of(last, sizeof last));
    n = put_span(out, 2);
    memcpy(out + n, bound, sizeof bound);
    seed_put("batch", "sum", bytes_of(out, n + sizeof bound));
    n = put_span(out, 1);
    out[n++] = 1;
    out[n++] = 1; /* it creates */
    out[n++] = 0;
    memset(out + n, 1, 64);
    n += 64;
    memcpy(out + n, list, sizeof list - 1);
    many("batch", "list", (const char *)out, n + sizeof list - 1, 1, LIMIT_SPAN_ELEMENTS + 1);
    memcpy(out + n, code, sizeof code);
    seed_put("batch", "code", bytes_of(out, n + sizeof code));
    seed_put("channel", "empty", nothing());
    static const char frame[] = "\0id of 16 bytes..\0\0\0\x0f\x42\x40";
    uint8_t data = 3;
    wide("channel", "frame", bytes_of(frame, sizeof frame - 1), bytes_of(&data, 1),
         LIMIT_BATCH_FRAME, bytes_of("\1", 1));
}

/* ---- files and requests ------------------------------------------------------------------------
 */

/* A call that is answered later, as a frame of a client. */
static size_t later_frame(uint8_t *out)
{
    static const char call[] = "{\"id\":1,\"method\":\"eth_getBalance\",\"params\":"
                               "[\"0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a\",\"0x1\"]}";
    static const uint8_t head[] = {0x81, 0x80 | (sizeof call - 1), 0, 0, 0, 0};
    _Static_assert(sizeof call - 1 < 126, "a short frame");
    memcpy(out, head, sizeof head);
    memcpy(out + sizeof head, call, sizeof call - 1);
    return sizeof head + sizeof call - 1;
}

static void wide_texts(void)
{
    static const char block[] =
        ",{\"id\":1,\"method\":\"eth_getBlockByNumber\",\"params\":[\"0x3\",true]}";
    uint8_t frame_of_call[256];
    static const char get[] = "\2\377GET /";
    static const char field[] = "\2\377GET / HTTP/1.1\r\n";
    static const char value[] = "\2\377GET / HTTP/1.1\r\nX: ";
    static const char host[] = "\2\377GET / HTTP/1.1\r\nHost: ";
    static const char chunk[] =
        "\2\377POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n";
    static const char frame[] = "\21\x81\xfe\x1f\x40\0\0\0";
    static const char huge[] = "\21\x81\xff\0\0\0\0\0\x60\0\0\0\0\0";
    many("ws", "frame", frame, sizeof frame, ' ', 8000);
    many("ws", "huge", huge, sizeof huge, ' ', LIMIT_RPC_BODY + 2);
    many("http", "path", get, sizeof get - 1, 'x', 300);
    many("http", "url", get, sizeof get - 1, 'x', LIMIT_RPC_HEADER + 1);
    many("http", "field", field, sizeof field - 1, 'x', LIMIT_RPC_HEADER + 1);
    many("http", "value", value, sizeof value - 1, 'x', LIMIT_RPC_HEADER + 1);
    many("http", "host", host, sizeof host - 1, 'x', 300);
    many("http", "body", chunk, sizeof chunk - 1, ' ', LIMIT_RPC_BODY + 1);
    many("jsonrpc", "deep", "", 0, '[', LIMIT_RPC_JSON_DEPTH + 1);
    wide("jsonrpc", "answers", bytes_of("[1", 2), bytes_of(block, sizeof block - 1), 990,
         bytes_of("]", 1));
    wide("ws", "crowd", bytes_of("\21", 1), bytes_of(frame_of_call, later_frame(frame_of_call)),
         1100, nothing());
    wide("jsonrpc", "batch", bytes_of("[1", 2), bytes_of(",1", 2), LIMIT_RPC_BATCH,
         bytes_of("]", 1));
    many("config", "large", "#", 1, ' ', LIMIT_CONFIG_BYTES + 1);
    many("genesis", "large", "", 0, ' ', LIMIT_CONFIG_BYTES + 1);
    wide("genesis", "deep", nothing(), bytes_of("[", 1), LIMIT_RPC_JSON_DEPTH + 1, nothing());
    many("keystore", "large", "", 0, ' ', 65536);
}

void seeds_of_wide(void)
{
    wide_bodies();
    wide_txs();
    wide_messages();
    wide_crowds();
    wide_batches();
    wide_texts();
}
