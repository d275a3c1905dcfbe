/* Incidents outlive the process: the newest LIMIT_INCIDENTS lie in the database, each in the place
 * of its number, and go back into the ring at the next start.
 *
 * Key: "incident" and the place, u16. Value: version u8; number, epoch, turn, slot, then started,
 * skip signed, certificate, proposal, final, gap, u64 each; signers u32; from, to u8; the names, 32
 * bytes each, and the reasons, 96 bytes each, padded with zeros. Numbers are big-endian. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "sequencer/node/parts.h"

enum {
    VERSION = 1,
    NUMBERS = 10,
    TEXTS = 2 * INCIDENT_NAME + 2 * INCIDENT_REASON,
    VALUE_BYTES = 1 + 8 * NUMBERS + 4 + 2 + TEXTS
};

static const char prefix[] = "incident";

enum { PREFIX_BYTES = sizeof prefix - 1, KEY_BYTES = PREFIX_BYTES + 2 };

static void encode(uint8_t out[VALUE_BYTES], const struct incident *i)
{
    const uint64_t numbers[NUMBERS] = {i->number,         i->epoch,       i->turn,
                                       i->slot,           i->started_ms,  i->skip_signed_ms,
                                       i->certificate_ms, i->proposal_ms, i->final_ms,
                                       i->gap_ms};
    *out++ = VERSION;
    for (int k = 0; k < NUMBERS; k++, out += 8) {
        store_be64(out, numbers[k]);
    }
    store_be32(out, i->signers);
    out[4] = i->from;
    out[5] = i->to;
    out += 6;
    memcpy(out, i->from_name, INCIDENT_NAME);
    memcpy(out + INCIDENT_NAME, i->to_name, INCIDENT_NAME);
    memcpy(out + 2 * INCIDENT_NAME, i->reason, INCIDENT_REASON);
    memcpy(out + 2 * INCIDENT_NAME + INCIDENT_REASON, i->own_reason, INCIDENT_REASON);
}

static const uint8_t *take_text(char *out, const uint8_t *in, size_t size)
{
    memcpy(out, in, size);
    out[size - 1] = '\0';
    return in + size;
}

static bool decode(struct incident *i, struct bytes value)
{
    const uint8_t *in = value.p;
    if (value.n != VALUE_BYTES || in[0] != VERSION) {
        return false;
    }
    in++;
    uint64_t *const numbers[NUMBERS] = {&i->number,         &i->epoch,       &i->turn,
                                        &i->slot,           &i->started_ms,  &i->skip_signed_ms,
                                        &i->certificate_ms, &i->proposal_ms, &i->final_ms,
                                        &i->gap_ms};
    for (int k = 0; k < NUMBERS; k++, in += 8) {
        *numbers[k] = load_be64(in);
    }
    i->signers = load_be32(in);
    i->from = in[4];
    i->to = in[5];
    in = take_text(i->from_name, in + 6, INCIDENT_NAME);
    in = take_text(i->to_name, in, INCIDENT_NAME);
    in = take_text(i->reason, in, INCIDENT_REASON);
    take_text(i->own_reason, in, INCIDENT_REASON);
    return true;
}

void incident_store(struct node *n, const struct incident *i)
{
    uint8_t key[KEY_BYTES];
    uint8_t value[VALUE_BYTES];
    uint16_t place = (uint16_t)(i->number % LIMIT_INCIDENTS);
    memcpy(key, prefix, PREFIX_BYTES);
    key[PREFIX_BYTES] = (uint8_t)(place >> 8);
    key[PREFIX_BYTES + 1] = (uint8_t)place;
    encode(value, i);
    const struct storage_put put = {.table = TABLE_MISC,
                                    .key = bytes_of(key, sizeof key),
                                    .value = bytes_of(value, sizeof value)};
    if (storage_submit_puts(n->storage, &put, 1, false, 0) != OK) {
        log_write(LOG_WARN, "storage", "an incident will not outlive this process",
                  LOG_U64("number", i->number), NULL);
    }
}

struct found {
    struct incident incident[LIMIT_INCIDENTS];
    size_t n;
};

static bool take_one(void *arg, struct bytes key, struct bytes value)
{
    struct found *f = arg;
    /* What a newer version wrote, or nobody: left out, for it only serves people. */
    if (key.n == KEY_BYTES && decode(&f->incident[f->n], value)) {
        f->n++;
    }
    return f->n < LIMIT_INCIDENTS;
}

static int by_number(const void *a, const void *b)
{
    const struct incident *x = a;
    const struct incident *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

/* One that was not over stays open: the next final block ends it. */
static void open_again(struct book *b, const struct incident *i)
{
    if (i->final_ms == 0) {
        bool near = b->open && i->number - b->open_from < LIMIT_INCIDENTS;
        b->open_from = near ? b->open_from : i->number;
        b->open_to = i->number;
        b->open = true;
    }
}

enum err incident_restore(struct node *n)
{
    struct found *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err =
        storage_walk(n->storage, TABLE_MISC, bytes_of(prefix, PREFIX_BYTES), take_one, f);
    qsort(f->incident, f->n, sizeof f->incident[0], by_number);
    for (size_t k = 0; err == OK && k < f->n; k++) {
        incidents_restore(n->incidents, &f->incident[k]);
        open_again(&n->book, &f->incident[k]);
    }
    free(f);
    return err;
}
