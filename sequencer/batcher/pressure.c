#include "sequencer/batcher/pressure.h"

#include "proto/limits.h"

enum { MS = 1000, MARGIN_MS = 3600000, KEEP_TENTHS = 7, FULL = 1 << 16 };
enum { BLOCK_MOST = 130000, BLOCK_LEAST = 2000, TX_LEAST = 150 };

/* Where a stage is entered; 0: this one is not entered by that. */
struct entry {
    uint64_t bytes;
    uint64_t age_ms;
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static struct entry entry_of(unsigned stage, const struct pressure_input *in)
{
    const uint64_t stop_ms = (uint64_t)LIMIT_UNSAFE_STOP_S * MS;
    switch (stage) {
    case 1:
        return (struct entry){LIMIT_UNSAFE_SLOW_BYTES, (uint64_t)LIMIT_UNSAFE_SLOW_S * MS};
    case 2:
        return (struct entry){LIMIT_UNSAFE_LEAST_BYTES, (uint64_t)LIMIT_UNSAFE_LEAST_S * MS};
    case 3:
        return (struct entry){LIMIT_UNSAFE_STOP_BYTES,
                              in->window_ms == 0 ? stop_ms : least(stop_ms, in->window_ms / 2)};
    default:
        return (struct entry){0, in->window_ms > MARGIN_MS ? in->window_ms - MARGIN_MS : 0};
    }
}

/* Above so many tenths of the entry of `stage`? */
static bool above(unsigned stage, const struct pressure_input *in, uint64_t tenths)
{
    struct entry e = entry_of(stage, in);
    return (e.bytes != 0 && in->unsafe_bytes > e.bytes / 10 * tenths) ||
           (e.age_ms != 0 && in->unsafe_age_ms > e.age_ms / 10 * tenths);
}

unsigned pressure_stage(unsigned stage, const struct pressure_input *in)
{
    for (unsigned s = PRESSURE_STAGES - 1; s > 0; s--) {
        if (above(s, in, s <= stage ? KEEP_TENTHS : 10)) {
            return s;
        }
    }
    return 0;
}

/* How far from stage 1 to stage 2, in parts of FULL. */
static uint64_t way(uint64_t v, uint64_t from, uint64_t to)
{
    return v <= from ? 0 : v >= to ? FULL : (v - from) * FULL / (to - from);
}

static uint32_t block_bytes(const struct pressure_input *in)
{
    struct entry from = entry_of(1, in);
    struct entry to = entry_of(2, in);
    uint64_t bytes = way(in->unsafe_bytes, from.bytes, to.bytes);
    uint64_t age = way(in->unsafe_age_ms, from.age_ms, to.age_ms);
    uint64_t left = FULL - (bytes > age ? bytes : age);
    return BLOCK_LEAST + (uint32_t)((BLOCK_MOST - BLOCK_LEAST) * left / FULL * left / FULL);
}

struct pressure pressure_at(unsigned stage, const struct pressure_input *in)
{
    switch (stage) {
    case 0:
        return (struct pressure){0, UINT32_MAX, UINT32_MAX, false};
    case 1:
        return (struct pressure){1, block_bytes(in), UINT32_MAX, false};
    case 2:
        return (struct pressure){2, BLOCK_LEAST, TX_LEAST, false};
    default:
        return (struct pressure){stage, 0, 0, true};
    }
}

const char *pressure_sentence(enum pressure_layer layer)
{
    switch (layer) {
    case PRESSURE_LAYER_CONGESTED:
        return "data layer unavailable: batches do not get in there; new transactions are refused "
               "until they do";
    case PRESSURE_LAYER_DOWN:
        return "data layer unavailable: batches cannot be posted; new transactions are refused "
               "until they can";
    case PRESSURE_LAYER_OK:
        break;
    }
    return "data layer unavailable: too much waits to be posted; new transactions are refused "
           "until less does";
}
