/* A failing plan made short: faults taken away by halves, then one by one; liars, arts, users and
 * times made simpler. A change stays when the run still ends in the same way. */
#include "tests/sim/shrink.h"

#include <inttypes.h>
#include <stdlib.h>

/* A set that goes on at all does so well within the shorter time; the last replay takes the whole.
 */
enum { TRIES = 400, HEAL_SHORT_US = 20 * SECOND };

struct shrinking {
    struct sim *sim;
    struct plan best;
    enum sim_end end;
    uint32_t tries;
};

/* Does it still fail in this way? Then it is the best so far. */
static bool still(struct shrinking *k, const struct plan *p)
{
    static struct account account;
    if (k->tries >= TRIES) {
        return false;
    }
    k->tries++;
    if (sim_run(k->sim, p, &account, NULL) != k->end) {
        return false;
    }
    k->best = *p;
    return true;
}

static bool without(struct shrinking *k, uint32_t from, uint32_t count)
{
    static struct plan p;
    p = k->best;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < k->best.harms; i++) {
        if (i < from || i >= from + count) {
            p.harm[kept++] = k->best.harm[i];
        }
    }
    p.harms = kept;
    return still(k, &p);
}

static void fewer_harms(struct shrinking *k)
{
    for (uint32_t chunk = (k->best.harms + 1) / 2; chunk > 0;
         chunk = chunk == 1 ? 0 : (chunk + 1) / 2) {
        for (uint32_t from = 0; from < k->best.harms;) {
            if (!without(k, from, chunk)) {
                from += chunk;
            }
        }
    }
}

static void fewer_lies(struct shrinking *k)
{
    static struct plan p;
    for (uint32_t bit = 0; bit < 32; bit++) {
        uint32_t *const words[] = {&p.twins, &p.liars, &p.arts};
        for (size_t w = 0; w < 3; w++) {
            p = k->best;
            if ((*words[w] >> bit & 1) != 0) {
                *words[w] &= ~(1u << bit);
                p.twins &= p.liars; /* a twin that is no liar breaks the rules by itself */
                (void)still(k, &p);
            }
        }
    }
}

static void simpler_set(struct shrinking *k)
{
    static struct plan p;
    p = k->best;
    p.per_s = 0;
    (void)still(k, &p);
    p = k->best;
    p.rest = 1;
    (void)still(k, &p);
    p = k->best;
    p.far_us = p.link_us;
    (void)still(k, &p);
    for (int i = 0; i < 6; i++) {
        p = k->best;
        p.chaos_us /= 2;
        if (!still(k, &p)) {
            break;
        }
    }
}

static void smaller_numbers(struct shrinking *k)
{
    static struct plan p;
    for (uint32_t i = 0; i < k->best.harms; i++) {
        p = k->best;
        p.harm[i].length_us /= 2;
        (void)still(k, &p);
        p = k->best;
        p.harm[i].at_us -= p.harm[i].at_us % 1000;
        (void)still(k, &p);
    }
}

enum sim_end shrink(struct sim *s, struct plan *p)
{
    static struct shrinking k;
    static struct account account;
    k = (struct shrinking){.sim = s, .best = *p};
    k.end = sim_run(s, p, &account, NULL);
    if (k.end == SIM_PASS) {
        return SIM_PASS;
    }
    s->heal_most_us = HEAL_SHORT_US;
    fewer_harms(&k);
    fewer_lies(&k);
    simpler_set(&k);
    fewer_harms(&k);
    smaller_numbers(&k);
    s->heal_most_us = HEAL_MOST_US;
    fprintf(stderr, "%" PRIu32 " faults became %" PRIu32 " in %" PRIu32 " replays\n", p->harms,
            k.best.harms, k.tries);
    *p = k.best;
    return k.end;
}
