#include "sequencer/batcher/assembly.h"

#include "proto/limits.h"

enum { FRAME_WEIGHT = 200 };

void assembly_init(struct assembly *a)
{
    *a = (struct assembly){.open = false};
    buffer_init(&a->data, LIMIT_CHANNEL_BYTES);
}

void assembly_free(struct assembly *a)
{
    buffer_free(&a->data);
    a->open = false;
}

bool assembly_enter(struct assembly *a, uint64_t l1_block)
{
    bool late = a->open && l1_block > a->opened && l1_block - a->opened > CHANNEL_TIMEOUT_BLOCKS;
    a->open = a->open && !late;
    return late;
}

static void start(struct assembly *a, uint64_t l1_block, const struct frame *f)
{
    buffer_clear(&a->data);
    a->open = true;
    a->id = f->id;
    a->opened = l1_block;
    a->frames = 0;
    a->weight = 0;
}

static bool continues(const struct assembly *a, const struct frame *f)
{
    return a->open && f->number == a->frames && memcmp(a->id.b, f->id.b, CHANNEL_ID_BYTES) == 0;
}

enum assembly_verdict assembly_push(struct assembly *a, uint64_t l1_block, const struct frame *f)
{
    if (f->number == 0) {
        start(a, l1_block, f);
    } else if (!continues(a, f)) {
        return ASSEMBLY_IGNORED;
    }
    a->frames++;
    a->weight += f->data.n + FRAME_WEIGHT;
    if (a->weight <= LIMIT_CHANNEL_BYTES) {
        buffer_put_bytes(&a->data, f->data);
    }
    if (a->weight > LIMIT_CHANNEL_BYTES || a->data.bad != OK) {
        a->open = false;
        return ASSEMBLY_TOO_LARGE;
    }
    a->open = !f->last;
    return f->last ? ASSEMBLY_COMPLETE : ASSEMBLY_TAKEN;
}

const char *assembly_verdict_text(enum assembly_verdict v)
{
    switch (v) {
    case ASSEMBLY_TAKEN:
        return "the channel goes on";
    case ASSEMBLY_COMPLETE:
        return "the channel is complete";
    case ASSEMBLY_IGNORED:
        return "it continues no open channel";
    case ASSEMBLY_TOO_LARGE:
        return "its channel is larger than 100,000,000 bytes";
    }
    return "";
}
