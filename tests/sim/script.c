/* Plans as text: what --shrink writes and tests/sim/seeds/ keeps. */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/plan.h"

static const char *const words[HARM_KINDS] = {
#define HARM(name, word, what) word,
#include "tests/sim/harms.def"
#undef HARM
};

static const char *const texts[HARM_KINDS] = {
#define HARM(name, word, what) what,
#include "tests/sim/harms.def"
#undef HARM
};

const char *harm_word(enum harm_kind kind)
{
    return words[kind];
}

const char *harm_text(enum harm_kind kind)
{
    return texts[kind];
}

static const char *const art_words[] = {
#define ART(name, word, what) word,
#include "tests/sim/adversaries.def"
#undef ART
};

enum { ART_COUNT = sizeof art_words / sizeof *art_words };

/* Every number of a plan by its word: 32 bit and 64 bit ones. */
struct field32 {
    const char *word;
    size_t at;
};

static const struct field32 fields32[] = {
    {"members", offsetof(struct plan, n)},
    {"fault-model", offsetof(struct plan, fault_model)},
    {"turn-slots", offsetof(struct plan, turn_slots)},
    {"depth", offsetof(struct plan, depth)},
    {"block-time-ms", offsetof(struct plan, block_time_ms)},
    {"max-interval-ms", offsetof(struct plan, max_interval_ms)},
    {"pace", offsetof(struct plan, pace)},
    {"trusting", offsetof(struct plan, trusting)},
    {"liars", offsetof(struct plan, liars)},
    {"twins", offsetof(struct plan, twins)},
    {"rest", offsetof(struct plan, rest)},
    {"scripted", offsetof(struct plan, scripted)},
    {"transactions-per-s", offsetof(struct plan, per_s)},
};

static const struct field32 fields64[] = {
    {"seed", offsetof(struct plan, seed)},
    {"link-us", offsetof(struct plan, link_us)},
    {"far-us", offsetof(struct plan, far_us)},
    {"sync-us", offsetof(struct plan, sync_us)},
    {"execute-us", offsetof(struct plan, execute_us)},
    {"sides", offsetof(struct plan, sides)},
    {"build-us", offsetof(struct plan, build_us)},
    {"chaos-us", offsetof(struct plan, chaos_us)},
};

enum {
    FIELDS32 = sizeof fields32 / sizeof *fields32,
    FIELDS64 = sizeof fields64 / sizeof *fields64
};

void plan_write(const struct plan *p, FILE *out)
{
    for (size_t i = 0; i < FIELDS64; i++) {
        uint64_t v;
        memcpy(&v, (const char *)p + fields64[i].at, sizeof v);
        fprintf(out, "%s %" PRIu64 "\n", fields64[i].word, v);
    }
    for (size_t i = 0; i < FIELDS32; i++) {
        uint32_t v;
        memcpy(&v, (const char *)p + fields32[i].at, sizeof v);
        fprintf(out, "%s %" PRIu32 "\n", fields32[i].word, v);
    }
    fprintf(out, "weights");
    for (uint32_t i = 0; i < p->n; i++) {
        fprintf(out, " %" PRIu32, p->weight[i]);
    }
    fprintf(out, "\narts");
    for (uint32_t i = 0; i < ART_COUNT; i++) {
        if ((p->arts >> i & 1) != 0) {
            fprintf(out, " %s", art_words[i]);
        }
    }
    fprintf(out, "\n");
    for (uint32_t i = 0; i < p->harms; i++) {
        const struct harm *h = &p->harm[i];
        fprintf(out, "at %" PRIu64 " for %" PRIu64 " %s %" PRIu32 " %" PRIu32 " %" PRIu64 "\n",
                h->at_us, h->length_us, words[h->kind], h->a, h->b, h->value);
    }
}

static bool read_harm(struct plan *p, const char *text)
{
    struct harm h = {0};
    char word[32];
    int n = sscanf(text, "at %" SCNu64 " for %" SCNu64 " %31s %" SCNu32 " %" SCNu32 " %" SCNu64,
                   &h.at_us, &h.length_us, word, &h.a, &h.b, &h.value);
    if (n != 6 || p->harms == PLAN_HARMS || h.a >= SIM_MEMBERS || h.b >= SIM_MEMBERS) {
        return false;
    }
    for (int k = 0; k < HARM_KINDS; k++) {
        if (strcmp(word, words[k]) == 0) {
            h.kind = (enum harm_kind)k;
            p->harm[p->harms++] = h;
            return true;
        }
    }
    return false;
}

static bool read_weights(struct plan *p, const char *text)
{
    const char *at = text + strlen("weights");
    for (uint32_t i = 0; i < SIM_MEMBERS; i++) {
        char *end;
        unsigned long v = strtoul(at, &end, 10);
        if (end == at) {
            return i > 0;
        }
        p->weight[i] = (uint32_t)v;
        at = end;
    }
    return true;
}

static bool read_arts(struct plan *p, const char *text)
{
    const char *at = text + strlen("arts");
    char word[32];
    int n = 0;
    while (sscanf(at, "%31s%n", word, &n) == 1) {
        uint32_t i = 0;
        while (i < ART_COUNT && strcmp(word, art_words[i]) != 0) {
            i++;
        }
        if (i == ART_COUNT) {
            return false;
        }
        p->arts |= 1u << i;
        at += n;
    }
    return true;
}

static bool read_field(struct plan *p, const char *text)
{
    char word[32];
    uint64_t v;
    if (sscanf(text, "%31s %" SCNu64, word, &v) != 2) {
        return false;
    }
    for (size_t i = 0; i < FIELDS64; i++) {
        if (strcmp(word, fields64[i].word) == 0) {
            memcpy((char *)p + fields64[i].at, &v, sizeof v);
            return true;
        }
    }
    for (size_t i = 0; i < FIELDS32; i++) {
        if (strcmp(word, fields32[i].word) == 0) {
            uint32_t small = (uint32_t)v;
            memcpy((char *)p + fields32[i].at, &small, sizeof small);
            return true;
        }
    }
    return false;
}

bool plan_read(struct plan *p, FILE *in, uint32_t *line)
{
    char text[256];
    memset(p, 0, sizeof *p);
    *line = 0;
    while (fgets(text, sizeof text, in) != NULL) {
        ++*line;
        if (text[0] == '#' || text[0] == '\n') {
            continue;
        }
        bool ok = strncmp(text, "at ", 3) == 0       ? read_harm(p, text)
                  : strncmp(text, "weights", 7) == 0 ? read_weights(p, text)
                  : strncmp(text, "arts", 4) == 0    ? read_arts(p, text)
                                                     : read_field(p, text);
        if (!ok) {
            return false;
        }
    }
    return p->n >= 3 && p->n <= SIM_MEMBERS && p->turn_slots > 0;
}
