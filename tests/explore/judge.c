/* What must hold, seen from all members at once (CONSENSUS 12). A vote that is durable counts as
 * seen by everybody; a liar's counts for everything. */
#include <string.h>

#include "tests/explore/explore.h"

/* ---- what votes allow --------------------------------------------------------------------------- */

static bool honest(const struct view *v, int i)
{
    return i != v->scene->o.liar;
}

/* Weight of the votes that exist for this, a liar's included where it speaks. */
static uint32_t weight_for(const struct view *v, int kind, uint64_t slot, int block, bool liar)
{
    uint32_t weight = liar && v->scene->o.liar >= 0 ? 1 : 0;
    for (int i = 0; i < (int)v->scene->o.n; i++) {
        if (!honest(v, i)) {
            continue;
        }
        const struct local *l = v->l[i];
        weight += kind == SKIP ? (l->skipped >> slot & 1u)
                               : (kind == NOTARIZE ? l->notarized : l->finalized)[slot] == block;
    }
    return weight;
}

/* Certificates that the votes on the disks allow, by bit. */
uint64_t judge_certs(const struct view *v, bool liar)
{
    uint64_t made = 0;
    for (uint64_t slot = 1; slot <= v->scene->o.slots; slot++) {
        for (int i = 0; i < (int)v->scene->o.n; i++) {
            for (int kind = 0; honest(v, i) && kind < KINDS; kind++) {
                const struct local *l = v->l[i];
                int block = kind == NOTARIZE ? l->notarized[slot] : l->finalized[slot];
                bool voted = kind == SKIP ? (l->skipped >> slot & 1u) != 0 : block != 0;
                block = kind == SKIP ? 0 : block;
                if (voted && weight_for(v, kind, slot, block, liar) >= v->scene->epoch.quorum) {
                    made |= (uint64_t)1 << scene_cert(v->scene, kind, slot, block);
                }
            }
        }
    }
    return made;
}

uint64_t judge_votes(const struct view *v, int member)
{
    const struct local *l = v->l[member];
    uint64_t votes = 0;
    for (uint64_t slot = 1; slot <= v->scene->o.slots; slot++) {
        int notarized = l->notarized[slot];
        int finalized = l->finalized[slot];
        if (notarized != 0) {
            votes |= (uint64_t)1 << scene_cert(v->scene, NOTARIZE, slot, notarized);
        }
        if (finalized != 0) {
            votes |= (uint64_t)1 << scene_cert(v->scene, FINALIZE, slot, finalized);
        }
        if ((l->skipped >> slot & 1u) != 0) {
            votes |= (uint64_t)1 << scene_cert(v->scene, SKIP, slot, 0);
        }
    }
    return votes;
}

/* ---- what must hold (CONSENSUS 12) -------------------------------------------------------------- */

struct standing {
    int final[SLOTS_MOST + 1];     /* block that can be final, 0 none */
    int notarized[SLOTS_MOST + 1];
    uint8_t skippable;
};

static void stand(const struct view *v, uint64_t certs, struct standing *out)
{
    memset(out, 0, sizeof *out);
    for (int i = 0; i < v->scene->certs; i++) {
        const struct cert_entry *c = &v->scene->cert[i];
        if ((certs >> i & 1) == 0) {
            continue;
        }
        int *at = c->kind == FINALIZE ? &out->final[c->slot] : &out->notarized[c->slot];
        if (c->kind == SKIP) {
            out->skippable |= (uint8_t)(1u << c->slot);
        } else if (*at != 0 && *at != c->block) {
            broken("two blocks of slot %llu can be %s", (unsigned long long)c->slot,
                   c->kind == FINALIZE ? "final" : "notarized");
        } else {
            *at = c->block;
        }
    }
}

static void judge_exclusion(const struct view *v, const struct standing *st)
{
    uint64_t k = v->scene->o.turn_slots;
    for (uint64_t slot = 1; slot <= v->scene->o.slots; slot++) {
        uint64_t first = (slot - 1) / k * k + 1;
        for (uint64_t u = first; u <= slot; u++) {
            if (st->final[slot] != 0 && (st->skippable >> u & 1u) != 0) {
                broken("slot %llu can be final, slot %llu skipped", (unsigned long long)slot,
                       (unsigned long long)u);
            }
        }
        if (st->final[slot] != 0 && st->final[slot] != st->notarized[slot]) {
            broken("slot %llu can be final and not notarized", (unsigned long long)slot);
        }
    }
}

static void judge_agreement(const struct view *v, const struct standing *st)
{
    int below = 0;
    for (uint64_t slot = 1; slot <= v->scene->o.slots; slot++) {
        if (st->final[slot] == 0) {
            continue;
        }
        if (!scene_is_ancestor(v->scene, below, st->final[slot])) {
            broken("two chains can be final: slot %llu does not stand on block %d",
                   (unsigned long long)slot, below);
        }
        below = st->final[slot];
    }
    for (int i = 0; i < (int)v->scene->o.n; i++) {
        int head = honest(v, i) ? v->l[i]->disk.final_coming : 0;
        if (!scene_is_ancestor(v->scene, head, below)) {
            broken("member %d has delivered block %d, which cannot be final", i, head);
        }
    }
}

static void look_at_votes(const struct view *v, const struct standing *st, uint64_t slot,
                          uint64_t *seen)
{
    uint64_t k = v->scene->o.turn_slots;
    uint8_t before = 0;
    for (uint64_t u = (slot - 1) / k * k + 1; u < slot; u++) {
        before |= (uint8_t)(1u << u);
    }
    for (int i = 0; i < (int)v->scene->o.n; i++) {
        const struct local *l = v->l[i];
        if (!honest(v, i)) {
            continue;
        }
        int voted = l->notarized[slot];
        seen[SEEN_EXCUSED] += l->finalized[slot] != 0 && (l->skipped & before) != 0;
        seen[SEEN_TWINS] += voted != 0 && st->final[slot] != 0 && voted != st->final[slot];
    }
}

static void look_around(const struct view *v, const struct standing *st, uint64_t *seen)
{
    uint64_t k = v->scene->o.turn_slots;
    bool final = false;
    bool crashed = false;
    for (uint64_t slot = 1; slot <= v->scene->o.slots; slot++) {
        bool skip = (st->skippable >> slot & 1u) != 0;
        final |= st->final[slot] != 0;
        seen[SEEN_SKIP] += skip;
        seen[SEEN_BOTH] += skip && st->notarized[slot] != 0;
        seen[SEEN_OVER_SKIP] += slot > k && st->final[slot] != 0 && (st->skippable & 2u) != 0;
        look_at_votes(v, st, slot, seen);
    }
    seen[SEEN_FINAL] += final;
    seen[SEEN_FINAL_LAST] += st->final[v->scene->o.slots] != 0;
    for (int i = 0; i < (int)v->scene->o.n; i++) {
        crashed |= honest(v, i) && v->l[i]->disk.crashes != 0;
    }
    seen[SEEN_CRASHED] += crashed;
}

const char *seen_name(int seen)
{
    static const char *const names[] = {
        [SEEN_FINAL] = "something is final",
        [SEEN_FINAL_LAST] = "the last slot is final",
        [SEEN_SKIP] = "a slot is skipped",
        [SEEN_BOTH] = "a slot is notarized and skipped",
        [SEEN_OVER_SKIP] = "final behind a skip of slot 1",
        [SEEN_EXCUSED] = "a finalize behind an excused skip",
        [SEEN_TWINS] = "a twin was voted for, the other is final",
        [SEEN_CRASHED] = "a member has crashed",
    };
    return names[seen];
}

void judge_all(const struct view *v, uint64_t certs, uint64_t seen[SEEN_KINDS])
{
    struct standing st;
    stand(v, certs, &st);
    judge_exclusion(v, &st);
    judge_agreement(v, &st);
    look_around(v, &st, seen);
}
