/* The account, added up and printed. */
#include "tests/sim/account.h"

#include <inttypes.h>

static const char *const mark_texts[MARKS] = {
#define MARK(name, what) what,
#include "tests/sim/marks.def"
#undef MARK
};

static const char *const art_words[] = {
#define ART(name, word, what) word,
#include "tests/sim/adversaries.def"
#undef ART
};

enum { ART_COUNT = sizeof art_words / sizeof *art_words };

static void add_all(uint64_t *to, const uint64_t *from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        to[i] += from[i];
    }
}

void account_add(struct account *to, const struct account *from)
{
    to->seeds += from->seeds;
    to->failed += from->failed;
    to->cases += from->cases;
    to->simulated_us += from->simulated_us;
    to->steps += from->steps;
    to->frames += from->frames;
    to->slots_final += from->slots_final;
    to->payloads_final += from->payloads_final;
    to->takeovers += from->takeovers;
    to->restarts += from->restarts;
    to->votes += from->votes;
    to->certificates += from->certificates;
    to->submitted += from->submitted;
    to->acknowledged += from->acknowledged;
    to->confirmed += from->confirmed;
    add_all(to->harms, from->harms, HARM_KINDS);
    add_all(to->marks, from->marks, MARKS);
    add_all(to->reasons, from->reasons, SKIP_REASONS);
    add_all(to->arts, from->arts, ARTS_MAX);
    add_all(to->sizes, from->sizes, SIM_MEMBERS + 1);
    add_all(to->heal, from->heal, HEAL_BUCKETS);
    if (from->heal_worst_us > to->heal_worst_us) {
        to->heal_worst_us = from->heal_worst_us;
        to->heal_worst_seed = from->heal_worst_seed;
    }
}

static uint32_t line(FILE *out, uint64_t count, const char *what)
{
    fprintf(out, "  %12" PRIu64 "  %s%s\n", count, what, count == 0 ? "   <-- NEVER" : "");
    return count == 0;
}

static void totals(const struct account *a, double seconds, FILE *out)
{
    double hours = (double)a->simulated_us / 3.6e9;
    fprintf(out, "%" PRIu64 " seeds, %" PRIu64 " failed, %.1f s: %.1f seeds/s, %.0f steps/s\n",
            a->seeds, a->failed, seconds, (double)a->seeds / seconds, (double)a->steps / seconds);
    fprintf(out,
            "simulated %.1f h (%.0f times as fast as the clock); %" PRIu64 " slots final, %" PRIu64
            " with payload\n",
            hours, hours * 3600 / seconds, a->slots_final, a->payloads_final);
    fprintf(out,
            "%" PRIu64 " takeovers, %" PRIu64 " restarts, %" PRIu64 " votes, %" PRIu64
            " frames, %" PRIu64 " steps\n",
            a->takeovers, a->restarts, a->votes, a->frames, a->steps);
    fprintf(out,
            "transactions: %" PRIu64 " submitted, %" PRIu64 " acknowledged, %" PRIu64
            " confirmed%s\n",
            a->submitted, a->acknowledged, a->confirmed,
            a->failed == 0 ? "; none lost, none twice" : "");
    fprintf(out, "sets:");
    for (uint32_t n = 0; n <= SIM_MEMBERS; n++) {
        if (a->sizes[n] != 0) {
            fprintf(out, " %" PRIu64 " of %u", a->sizes[n], n);
        }
    }
    fprintf(out, "\n");
}

static void healing(const struct account *a, FILE *out)
{
    fprintf(out, "from healing until every honest member had finalized further blocks:\n");
    for (int i = 0; i < HEAL_BUCKETS; i++) {
        if (a->heal[i] != 0) {
            fprintf(out, "  %12" PRIu64 "  < %.1f s\n", a->heal[i], 0.05 * (double)(1 << i));
        }
    }
    fprintf(out, "  the longest: %.1f s, seed %" PRIu64 "\n", (double)a->heal_worst_us / 1e6,
            a->heal_worst_seed);
}

uint32_t account_print(const struct account *a, double seconds, FILE *out)
{
    uint32_t never = 0;
    totals(a, seconds, out);
    fprintf(out, "faults:\n");
    for (int i = 0; i < HARM_KINDS; i++) {
        never += line(out, a->harms[i], harm_word((enum harm_kind)i));
    }
    fprintf(out, "ways to lie (seeds):\n");
    for (uint32_t i = 0; i < ART_COUNT; i++) {
        never += line(out, a->arts[i], art_words[i]);
    }
    fprintf(out, "reasons to skip (votes):\n");
    for (int i = 0; i < SKIP_REASONS; i++) {
        never += line(out, a->reasons[i], skip_reason_name(i));
    }
    fprintf(out, "marks:\n");
    for (int i = 0; i < MARKS; i++) {
        never += line(out, a->marks[i], mark_texts[i]);
    }
    healing(a, out);
    if (never != 0) {
        fprintf(out, "%u kinds never happened\n", never);
    }
    return never;
}
