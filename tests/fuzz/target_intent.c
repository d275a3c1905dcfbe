/* Intents of peers: one form only, signed by the member that they name, and checked against what
 * the receiver made of the chain itself (intent_kit.h). */
#include "tests/fuzz/intent_kit.h"

#include "tests/fuzz/fuzz.h"

static void write_again(const struct post_intent *i, struct bytes in)
{
    struct buffer again;
    buffer_init(&again, LIMIT_INTENT_BYTES);
    DEMAND(intent_encode(&again, i) == OK);
    DEMAND(bytes_equal(buffer_bytes(&again), in));
    buffer_free(&again);
}

/* What is signed is every byte but the signature. */
static void check_signed(const struct post_intent *i, struct bytes in)
{
    const struct epoch_config *c = fuzz_epoch();
    if (intent_verify(c, i, in) == OK) {
        uint8_t *other = fuzz_room(in.n);
        memcpy(other, in.p, in.n);
        other[in.n - 66] ^= 1;
        DEMAND(i->member < c->n && intent_verify(c, i, bytes_of(other, in.n)) != OK);
    }
}

/* Nothing is written that would not be read. */
static void check_refused(const struct post_intent *good)
{
    static struct post_intent i;
    struct buffer out;
    buffer_init(&out, LIMIT_INTENT_BYTES);
    for (int wrong = 0; wrong < 9; wrong++) {
        i = *good;
        struct intent_part *p = &i.part[i.parts - 1];
        p->rungs = wrong == 0 ? 0 : wrong == 1 ? INTENT_LADDER + 1 : p->rungs;
        p->raw[0].n = wrong == 1 || wrong == 2 ? 0 : wrong == 3 ? LIMIT_TX_BYTES + 1 : p->raw[0].n;
        p->blobs = wrong == 4 ? LIMIT_TX_BLOBS + 1 : wrong == 5 ? p->blobs == 0 : p->blobs;
        i.parts = wrong == 6 ? INTENT_PARTS + 1 : wrong == 7 ? 0 : i.parts;
        i.kind = wrong == 8 ? INTENT_BLOB + 1 : i.kind;
        DEMAND(intent_encode(&out, &i) == ERR_REFUSED && out.n == 0);
    }
    buffer_free(&out);
}

/* What is taken is of the very segment that was wanted, and changes with nothing but the bytes. The
 * hour that it names says what the receiver made itself. */
static void check_content(const struct post_intent *i, bool proves)
{
    struct intent_wanted w;
    bool foreign = false;
    bool again = true;
    uint8_t kind = i->time_ms % 8 == 7 ? (uint8_t)INTENT_CALLDATA : i->kind;
    intent_kit_wanted(&w, kind, (int)(i->time_ms % INTENT_KIT_TWISTS), proves);
    enum err e = intent_check(i, &w, &foreign);
    DEMAND(intent_check(i, &w, &again) == e && (e != OK || foreign == again));
    DEMAND(e != OK || (i->segment == w.segment && i->first == w.first && i->last == w.last));
    w.l1_chain_id++;
    DEMAND(intent_check(i, &w, &foreign) != OK);
}

void fuzz_intent(struct bytes in)
{
    static struct post_intent i;
    if (intent_decode(&i, in) != OK) {
        return;
    }
    DEMAND(i.parts >= 1 && i.parts <= INTENT_PARTS && i.first <= i.last);
    write_again(&i, in);
    check_signed(&i, in);
    check_refused(&i);
    check_content(&i, true);
    check_content(&i, false);
}
