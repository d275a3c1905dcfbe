/* Seven inputs of eight: a server that hears the input itself; of two bytes, the first 0xf6: a
 * stranger's engine (tls_stranger.h). The others: two TLS engines and a wire that the input owns: it
 * says how much crosses at a time, what is said inside, and where bytes are changed, lost or added.
 * Whatever happens, what comes out at one end is the beginning of what went in at the other, and
 * both ends that finish share one exporter. */
#include "p2p/tls.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/tls_stranger.h"

enum { STEPS = 64, SAID = 4096, STRANGER = 0xf6 };

enum act { CARRY, CARRY_BACK, SAY, SAY_BACK, TWIST, LOSE, ADD, ACTS };

struct end {
    struct tls *tls;
    bool done, failed, closed;
    size_t said;  /* bytes that this end was told to say */
    size_t heard; /* bytes that it handed up */
    bool spoilt;  /* the wire towards it was touched */
};

/* What both ends say is the same known stream, so that a count is enough to check it. */
static uint8_t word(size_t i)
{
    return (uint8_t)(i * 131 + (i >> 8));
}

static void fail(struct end *e)
{
    e->failed = true;
}

static void read_all(struct end *e, const struct end *from)
{
    uint8_t out[TLS_RECORD_BYTES];
    size_t n = 1;
    while (n > 0 && !e->failed) {
        if (tls_read(e->tls, out, sizeof out, &n) != OK) {
            fail(e);
            return;
        }
        for (size_t i = 0; i < n; i++) {
            DEMAND(e->heard < from->said && out[i] == word(e->heard));
            e->heard++;
        }
    }
}

static void progress(struct end *e, const struct end *from)
{
    bool before = e->done;
    if (e->failed) {
        return;
    }
    if (!before && tls_handshake(e->tls, &e->done) != OK) {
        fail(e);
    } else if (e->done) {
        read_all(e, from);
    }
}

/* Up to `most` bytes of `from` cross; `how` and `with` say what happens to them. */
static void carry(struct end *from, struct end *to, size_t most, enum act how, uint8_t with)
{
    uint8_t wire[2048];
    size_t n = tls_take(from->tls, wire, most < sizeof wire ? most : sizeof wire - 1);
    if (how == TWIST && n > 0) {
        wire[with % n] ^= (uint8_t)(1 << (with & 7));
        to->spoilt = true;
    } else if (how == LOSE && n > 0) {
        n--;
        to->spoilt = true;
    } else if (how == ADD) {
        wire[n++] = with;
        to->spoilt = true;
    }
    if (!to->failed) {
        DEMAND(tls_feed(to->tls, bytes_of(wire, n)) == OK);
    }
    progress(to, from);
}

static void say(struct end *e, size_t n)
{
    uint8_t words[256];
    if (!e->done || e->failed || e->said + n > SAID) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        words[i] = word(e->said + i);
    }
    DEMAND(n == 0 || tls_write(e->tls, bytes_of(words, n)) == OK);
    e->said += n;
}

static void act(struct end *one, struct end *two, struct bytes *in)
{
    uint8_t first = script_u8(in);
    uint8_t with = script_u8(in);
    enum act how = (enum act)(first % ACTS);
    bool back = (first & 0x80) != 0;
    size_t most = (size_t)1 + (first / ACTS % 18) * 120;
    switch (how) {
    case SAY:
        say(one, with);
        return;
    case SAY_BACK:
        say(two, with);
        return;
    case CARRY:
    case TWIST:
    case LOSE:
    case ADD:
        carry(back ? two : one, back ? one : two, most, how, with);
        return;
    case CARRY_BACK:
        carry(two, one, 2000, CARRY, 0);
        return;
    case ACTS:
        return;
    }
}

static void settle(struct end *one, struct end *two)
{
    while (tls_pending(one->tls) + tls_pending(two->tls) > 0) {
        carry(one, two, 2000, CARRY, 0);
        carry(two, one, 2000, CARRY, 0);
    }
    if (!one->spoilt && !two->spoilt) {
        DEMAND(one->done && two->done && !one->failed && !two->failed);
        DEMAND(one->heard == two->said && two->heard == one->said);
    }
}

static void check_exporters(struct end *one, struct end *two)
{
    struct hash a;
    struct hash b;
    if (one->done && two->done && !one->failed && !two->failed) {
        DEMAND(tls_exporter(one->tls, &a) == OK && tls_exporter(two->tls, &b) == OK);
        DEMAND(hash_equal(&a, &b));
    }
}

static void run_script(const struct tls_context *context, struct bytes in)
{
    struct end one = {0};
    struct end two = {0};
    DEMAND(tls_make(&one.tls, context, TLS_CLIENT) == OK);
    DEMAND(tls_make(&two.tls, context, TLS_SERVER) == OK);
    progress(&one, &two);
    for (int i = 0; i < STEPS && in.n > 0; i++) {
        act(&one, &two, &in);
    }
    settle(&one, &two);
    check_exporters(&one, &two);
    tls_free(one.tls);
    tls_free(two.tls);
}

static void run_raw(const struct tls_context *context, struct bytes in)
{
    struct end nobody = {0};
    struct end server = {0};
    DEMAND(tls_make(&server.tls, context, TLS_SERVER) == OK);
    DEMAND(tls_feed(server.tls, in) == OK);
    progress(&server, &nobody);
    DEMAND(!server.done);
    tls_free(server.tls);
}

void fuzz_tls(struct bytes in)
{
    static struct tls_context *context;
    DEMAND(context != NULL || tls_context_make(&context) == OK);
    uint8_t kind = script_u8(&in);
    if (kind % 8 == 7) {
        run_script(context, in);
    } else if (kind == STRANGER && in.n == 1) { /* handshakes are slow: these few, once */
        tls_stranger_meet(context, script_u8(&in));
    } else {
        run_raw(context, in);
    }
}
