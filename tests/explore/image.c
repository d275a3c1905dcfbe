/* An image of a member: what in its core differs from a fresh one, the records in use, the disk. A core lies in one
 * block of memory full of addresses into itself, so it goes back to where it was taken from. */
#include <stdlib.h>
#include <string.h>

#include "tests/explore/explore.h"

enum { STACK_TOP = 64, WORK_WORDS = 262144 };

static uint64_t work[WORK_WORDS];

/* ---- words ---------------------------------------------------------------------------------------- */

static uint64_t word_at(const void *p, size_t i)
{
    uint64_t w;
    memcpy(&w, (const uint8_t *)p + 8 * i, sizeof w);
    return w;
}

/* A mask of the words that differ from the base (NULL: from zero), then these words. */
static uint64_t *pack(uint64_t *to, const void *from, const void *base, size_t bytes)
{
    size_t words = bytes / 8;
    for (size_t at = 0; at < words; at += 64) {
        uint64_t *mask = to++;
        *mask = 0;
        for (size_t i = at; i < words && i < at + 64; i++) {
            uint64_t w = word_at(from, i) ^ (base == NULL ? 0 : word_at(base, i));
            if (w != 0) {
                *mask |= (uint64_t)1 << (i - at);
                *to++ = w;
            }
        }
    }
    return to;
}

static const uint64_t *unpack(const uint64_t *in, void *to, const void *base, size_t bytes)
{
    uint8_t *out = to;
    if (base == NULL) {
        memset(out, 0, bytes);
    } else {
        memcpy(out, base, bytes);
    }
    for (size_t at = 0; at < bytes / 8; at += 64) {
        for (uint64_t mask = *in++; mask != 0; mask &= mask - 1) {
            size_t i = at + (size_t)__builtin_ctzll(mask);
            uint64_t w = word_at(out, i) ^ *in++;
            memcpy(out + 8 * i, &w, sizeof w);
        }
    }
    return in;
}

_Static_assert(sizeof(struct disk) % 8 == 0, "whole words");
_Static_assert(sizeof(struct core) % 8 == 0, "whole words");
_Static_assert(sizeof(struct slot_record) % 8 == 0, "whole words");
_Static_assert(sizeof(struct turn_record) % 8 == 0, "whole words");
_Static_assert(sizeof(struct block_record) % 8 == 0, "whole words");

/* ---- tables ------------------------------------------------------------------------------------- */

struct table {
    uint32_t *list, *stack;
    uint32_t used;
    uint8_t *record;
    size_t size;
    struct index *index;
};

enum { TABLES = 3 };

static void tables_of(struct core *c, struct table out[TABLES])
{
    out[0] = (struct table){c->slot_list, c->slot_free, c->slots_used, (uint8_t *)c->slot,
                            sizeof *c->slot, &c->slot_index};
    out[1] = (struct table){c->turn_list, c->turn_free, c->turns_used, (uint8_t *)c->turn,
                            sizeof *c->turn, &c->turn_index};
    out[2] = (struct table){c->block_list, c->block_free, c->blocks_used, (uint8_t *)c->block,
                            sizeof *c->block, &c->block_index};
}

/* The key under which a record is found. */
static uint64_t key_of(const struct core *c, int table, uint32_t record)
{
    if (table == 0) {
        return c->slot[record].slot;
    }
    return table == 1 ? c->turn[record].turn : load_be64(c->block[record].head.hash.b);
}

static uint64_t *pack_table(uint64_t *to, const struct table *t)
{
    to = pack(to, t->stack + LIMIT_CORE_RECORDS - STACK_TOP, NULL, STACK_TOP * sizeof *t->stack);
    for (uint32_t i = 0; i < t->used; i++) {
        *to++ = t->list[i];
        to = pack(to, t->record + t->list[i] * t->size, NULL, t->size);
    }
    return to;
}

static const uint64_t *unpack_table(const uint64_t *in, const struct core *c, int which,
                                    const struct table *t)
{
    in = unpack(in, t->stack + LIMIT_CORE_RECORDS - STACK_TOP, NULL,
                STACK_TOP * sizeof *t->stack);
    for (uint32_t i = 0; i < t->used; i++) {
        uint32_t record = (uint32_t)*in++;
        t->list[i] = record;
        in = unpack(in, t->record + record * t->size, NULL, t->size);
        index_put(t->index, key_of(c, which, record), record);
    }
    return in;
}

/* ---- images ------------------------------------------------------------------------------------- */

struct image image_look(const struct machine *m)
{
    struct core *c = m->core;
    struct table t[TABLES];
    tables_of(c, t);
    if (c->slots_used + c->blocks_used + c->turns_used > STACK_TOP ||
        c->spills_free != SYSTEM_SPILLS) {
        broken("a core of more records than an image holds");
    }
    uint64_t *end = pack(work, c, m->blank, sizeof *c);
    for (int i = 0; i < TABLES; i++) {
        end = pack_table(end, &t[i]);
    }
    end = pack(end, &m->disk, NULL, sizeof m->disk);
    return (struct image){work, (uint32_t)(end - work)};
}

struct image image_keep(struct image look)
{
    struct image image = {malloc(look.words * sizeof *look.word), look.words};
    if (image.word == NULL) {
        broken("no memory left");
    }
    memcpy(image.word, look.word, look.words * sizeof *look.word);
    return image;
}

void image_load(struct machine *m, const struct image *image)
{
    struct core *c = m->core;
    struct table t[TABLES];
    tables_of(c, t);
    for (int i = 0; i < TABLES; i++) {
        for (uint32_t k = 0; k < t[i].used; k++) {
            index_erase(t[i].index, key_of(c, i, t[i].list[k]), t[i].list[k]);
        }
    }
    const uint64_t *in = unpack(image->word, c, m->blank, sizeof *c);
    tables_of(c, t);
    for (int i = 0; i < TABLES; i++) {
        in = unpack_table(in, c, i, &t[i]);
    }
    unpack(in, &m->disk, NULL, sizeof m->disk);
}
