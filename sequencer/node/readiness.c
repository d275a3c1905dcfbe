/* Is this member able to lead, and if not, what is missing: in one word for scripts, in a sentence
 * for people. What the core tells the other members is part of it; that no quorum is heard is
 * known here only, for it says nothing about who should lead. */
#define _GNU_SOURCE
#include "sequencer/node/parts.h"

enum { HEARD_US = 1000000 };

struct cause {
    uint32_t bit;
    const char *word;
    const char *sentence; /* NULL: made when asked */
};

static const struct cause causes[] = {
    {NOT_READY_STARTING, "starting", "the first dry run of the execution client is not over"},
    {NOT_READY_CLIENT, "client", "the execution client does not answer a dry run in time"},
    {NOT_READY_BEHIND, "behind", "final blocks wait for their execution"},
    {NOT_READY_DISK, "disk", NULL},
    {NOT_READY_SYNCING, "syncing", "far behind the other members: blocks are being fetched"},
    {NOT_READY_AMNESIAC, "amnesiac",
     "what this member signed is not known for certain: it signs nothing until the others have "
     "answered or cleared it, which needs nothing from you"},
    {NOT_READY_DRAINING, "draining", "asked to hand over"},
    {NOT_READY_STOPPED, "stopped", NULL},
    {NOT_READY_CLOCK, "clock", NULL},
    {READY_NO_QUORUM, "quorum", NULL},
    {READY_OBSERVER, "observer", "the key is no member's: it observes"},
};

static const struct cause *cause_of(uint32_t bit)
{
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
        if (causes[i].bit == bit) {
            return &causes[i];
        }
    }
    return NULL;
}

const char *readiness_word(uint32_t bit)
{
    const struct cause *c = cause_of(bit);
    return c == NULL ? "unknown" : c->word;
}

uint32_t readiness_reachable(const struct node *n)
{
    uint64_t now = driver_now();
    uint32_t mask = n->self >= 0 ? 1u << n->self : 0;
    for (uint32_t i = 0; n->p2p != NULL && i < n->epoch.n; i++) {
        struct p2p_peer_stats s;
        if ((int)i != n->self) {
            p2p_get_stats(n->p2p, (int)i, &s);
            mask |= s.up && now - s.last_heard_us < HEARD_US ? 1u << i : 0;
        }
    }
    return mask;
}

uint32_t readiness_bits(struct node *n)
{
    struct core_view v;
    core_get_view(n->driver.core, &v);
    uint32_t bits = v.not_ready | health_not_ready(n);
    bool quorum = members_weight(&n->epoch, readiness_reachable(n)) >= n->epoch.quorum;
    bits |= quorum ? 0 : READY_NO_QUORUM;
    bits |= n->self < 0 ? READY_OBSERVER : 0;
    return bits;
}

/* ---- sentences that depend on what is the case now ------------------------------------------- */

static void say_quorum(const struct node *n, char out[READY_SENTENCE])
{
    uint32_t mask = readiness_reachable(n);
    char text[READY_SENTENCE];
    size_t at = (size_t)snprintf(text, sizeof text,
                                 "weight %u of the %u needed is reachable; not heard:",
                                 members_weight(&n->epoch, mask), n->epoch.quorum);
    for (uint32_t i = 0; i < n->epoch.n && at + NAME_SIZE + 2 < sizeof text; i++) {
        if ((mask & 1u << i) == 0) {
            at += (size_t)snprintf(text + at, sizeof text - at, " %s", n->epoch.member[i].name);
        }
    }
    memcpy(out, text, sizeof text);
}

static const char *say(struct node *n, uint32_t bit, char out[READY_SENTENCE])
{
    if (bit == READY_NO_QUORUM) {
        say_quorum(n, out);
    } else if (bit == NOT_READY_DISK && !n->driver.steps.failed) {
        snprintf(out, READY_SENTENCE,
                 "a write to %.120s has taken %llu ms so far: nothing is signed before it is done",
                 n->config->dir, (unsigned long long)(store_waits_us(n) / 1000));
    } else if (bit == NOT_READY_DISK) {
        snprintf(out, READY_SENTENCE,
                 "%.120s cannot be written (%s): nothing is signed until it can; it is tried again "
                 "every second",
                 n->config->dir, err_text(n->driver.write_err));
    } else if (bit == NOT_READY_STOPPED) {
        return n->book.stopped[0] != '\0' ? n->book.stopped : "signing stopped for good";
    } else {
        clock_say(n, out, READY_SENTENCE);
    }
    return out;
}

void readiness_look(struct node *n, struct rpc_readiness *out)
{
    uint32_t bits = readiness_bits(n);
    uint32_t said = 0;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
        const struct cause *c = &causes[i];
        if ((bits & c->bit) == 0) {
            continue;
        }
        out->reason[out->reasons] = c->word;
        out->detail[out->reasons++] =
            c->sentence != NULL ? c->sentence : say(n, c->bit, n->health.sentence[said++]);
    }
    out->ready = out->reasons == 0;
}

/* ---- what changed, for the log --------------------------------------------------------------- */

void readiness_log(struct node *n, uint32_t bits)
{
    if (bits == 0) {
        log_write(LOG_INFO, "node", "ready to lead", NULL);
        return;
    }
    struct rpc_readiness r;
    char words[160] = "";
    readiness_look(n, &r);
    for (uint32_t i = 0, at = 0; i < r.reasons && at + 16 < sizeof words; i++) {
        at += (uint32_t)snprintf(words + at, sizeof words - at, "%s%s", i > 0 ? ", " : "",
                                 r.reason[i]);
    }
    log_write(LOG_INFO, "node", "not ready to lead", LOG_STR("why", words),
              LOG_STR("detail", r.reasons > 0 ? r.detail[0] : ""), NULL);
}
