/* Writes down everything that every core of a program is given and gives, for tests/model/traces to
 * judge. Linked in with --wrap, so that neither the core nor who runs it knows. BATON_TRACE names
 * the file; without it nothing is written.
 *
 * One line an item, fields by spaces, blocks by the first half of their hash. The first field says
 * what, the second which core (each start of a member is a new one):
 *   I self n quorum faulty turn_slots depth trusting anchor    a core is made
 *   q hash executed | b block body | k kind slot block | v kind slot block   restored
 *   S cur                                                      it starts
 *   E kind                                                     a step begins: enum event_kind
 *   K kind slot block | H block | V from kind slot block       shown to it, signature good
 *   P block                                                    proposal with its leader's signature
 *   B block | X block valid | D sequence                       body, verdict, durable
 *   c slot | f block | w sequence | k … | s kind slot block    entered, delivered, the write
 *   h block                                                    a header on its way to the disk
 *   . cur                                                      the step is over
 *   N hash slot parent flags leader                            (no core) a header, at first sight */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/consensus.h"

enum { CORES = 64, NAMES = 65536 };

struct watched {
    const struct core *core;
    int number;
    struct core_config config;
};

static FILE *out;
static bool asked;
static struct watched watched[CORES];
static int cores;
static uint64_t named[NAMES]; /* headers that were written down lately */

enum err __real_core_init(struct core **o, void *memory, const struct core_config *config);
enum err __wrap_core_init(struct core **o, void *memory, const struct core_config *config);
enum err __real_core_restore_final(struct core *c, const struct core_restored_final *final);
enum err __wrap_core_restore_final(struct core *c, const struct core_restored_final *final);
enum err __real_core_restore_block(struct core *c, const struct block_head *head, bool body);
enum err __wrap_core_restore_block(struct core *c, const struct block_head *head, bool body);
enum err __real_core_restore_certificate(struct core *c, const struct certificate *cert);
enum err __wrap_core_restore_certificate(struct core *c, const struct certificate *cert);
enum err __real_core_restore_vote(struct core *c, const struct vote *vote);
enum err __wrap_core_restore_vote(struct core *c, const struct vote *vote);
void __real_core_start(struct core *c, uint64_t now_us, struct effects *scratch);
void __wrap_core_start(struct core *c, uint64_t now_us, struct effects *scratch);
void __real_core_step(struct core *c, const struct event *event, struct effects *effects);
void __wrap_core_step(struct core *c, const struct event *event, struct effects *effects);

/* ---- names ---------------------------------------------------------------------------------------- */

static bool tracing(void)
{
    if (!asked) {
        const char *path = getenv("BATON_TRACE");
        asked = true;
        out = path == NULL ? NULL : fopen(path, "w");
    }
    return out != NULL;
}

static struct watched *find(const struct core *core)
{
    for (int i = 0; i < CORES; i++) {
        if (watched[i].core == core) {
            return &watched[i];
        }
    }
    return NULL;
}

static uint64_t name(const struct hash *h)
{
    return load_be64(h->b);
}

static void say_header(const struct block_head *head)
{
    uint64_t n = name(&head->hash);
    if (named[n % NAMES] == n) {
        return;
    }
    named[n % NAMES] = n;
    fprintf(out, "N %016" PRIx64 " %" PRIu64 " %016" PRIx64 " %u %u\n", n, head->header.slot,
            name(&head->header.parent), head->header.flags, head->header.leader);
}

static void say_block(char what, int number, const struct hash *hash)
{
    fprintf(out, "%c %d %016" PRIx64 "\n", what, number, name(hash));
}

static void say_vote(char what, int number, int kind, uint64_t slot, const struct hash *block)
{
    fprintf(out, "%c %d %d %" PRIu64 " %016" PRIx64 "\n", what, number, kind, slot, name(block));
}

/* ---- signatures ----------------------------------------------------------------------------------- */

static bool signed_by(const struct watched *w, const struct hash *digest,
                      const struct signature *sig, uint32_t member)
{
    struct address who;
    const struct core_crypto *k = &w->config.crypto;
    return member < w->config.epoch.n && k->recover(k->ctx, &who, sig, digest) &&
           address_equal(&who, &w->config.epoch.member[member].address);
}

static bool cert_good(const struct watched *w, const struct certificate *c)
{
    struct hash digest = vote_digest(&w->config.epoch, c->kind, c->slot, &c->block);
    uint32_t k = 0;
    if (c->epoch != w->config.epoch.epoch ||
        certificate_check_form(&w->config.epoch, c) != OK) {
        return false;
    }
    for (uint32_t i = 0; i < w->config.epoch.n; i++) {
        if ((c->signers & 1u << i) != 0 && !signed_by(w, &digest, &c->signature[k++], i)) {
            return false;
        }
    }
    return true;
}

/* ---- what it is given ----------------------------------------------------------------------------- */

static void say_bundle(const struct watched *w, const struct bundle *b, int from)
{
    for (uint32_t i = 0; i < b->certs; i++) {
        if (cert_good(w, &b->cert[i])) {
            say_vote('K', w->number, b->cert[i].kind, b->cert[i].slot, &b->cert[i].block);
        }
    }
    for (uint32_t i = 0; i < b->heads; i++) {
        say_header(&b->head[i]);
        say_block('H', w->number, &b->head[i].hash);
    }
    for (uint32_t i = 0; i < b->votes; i++) {
        const struct vote *v = &b->vote[i];
        struct hash digest = vote_digest(&w->config.epoch, v->kind, v->slot, &v->block);
        if (v->signer == from && v->epoch == w->config.epoch.epoch &&
            signed_by(w, &digest, &v->signature, v->signer)) {
            fprintf(out, "V %d %d %u %" PRIu64 " %016" PRIx64 "\n", w->number, from, v->kind,
                    v->slot, name(&v->block));
        }
    }
}

static void say_head(const struct watched *w, const struct block_head *head)
{
    const struct header *h = &head->header;
    struct hash digest = propose_digest(&w->config.epoch, h->slot, h->attempt, &head->hash);
    say_header(head);
    bool proposed = signed_by(w, &digest, &head->signature, h->leader);
    say_block(proposed ? 'P' : 'H', w->number, &head->hash);
}

static void say_message(const struct watched *w, const struct message *m, int from)
{
    if (m->kind == MSG_VOTES || m->kind == MSG_BUNDLE) {
        say_bundle(w, &m->u.bundle, from);
    } else if (m->kind == MSG_PROPOSAL) {
        say_bundle(w, &m->u.proposal.justification, from);
        say_head(w, &m->u.proposal.head);
    } else if (m->kind == MSG_BLOCK) {
        say_head(w, &m->u.block.head);
    } else if (m->kind == MSG_BLOCKS) {
        say_bundle(w, &m->u.blocks.proof, from);
        for (uint32_t i = 0; i < m->u.blocks.blocks; i++) {
            say_head(w, &m->u.blocks.block[i].head);
        }
    }
}

static void say_event(const struct watched *w, const struct event *e)
{
    fprintf(out, "E %d %d\n", w->number, (int)e->kind);
    if (e->kind == EVENT_MESSAGE && e->peer >= 0 && e->peer != w->config.self) {
        say_message(w, e->u.message, e->peer);
    } else if (e->kind == EVENT_BODY && e->u.body.ok) {
        say_block('B', w->number, &e->u.body.block);
    } else if (e->kind == EVENT_EXECUTED) {
        fprintf(out, "X %d %016" PRIx64 " %d\n", w->number, name(&e->u.executed.block),
                e->u.executed.verdict == VERDICT_VALID);
    } else if (e->kind == EVENT_PERSISTED) {
        fprintf(out, "D %d %" PRIu64 "\n", w->number, e->u.persisted);
    }
}

/* ---- what it gives -------------------------------------------------------------------------------- */

static void say_write(const struct watched *w, const struct effect *e)
{
    fprintf(out, "w %d %" PRIu64 "\n", w->number, e->u.persist.sequence);
    for (uint32_t i = 0; i < e->u.persist.certs; i++) {
        const struct certificate *c = e->u.persist.cert[i];
        say_vote('k', w->number, c->kind, c->slot, &c->block);
    }
    for (uint32_t i = 0; i < e->u.persist.votes; i++) {
        const struct vote *v = &e->u.persist.vote[i];
        say_vote('s', w->number, v->kind, v->slot, &v->block);
    }
}

static void say_effects(const struct watched *w, const struct effects *effects)
{
    for (uint32_t i = 0; i < effects->n; i++) {
        const struct effect *e = &effects->effect[i];
        if (e->kind == EFFECT_PERSIST) {
            say_write(w, e);
        } else if (e->kind == EFFECT_ENTERED) {
            fprintf(out, "c %d %" PRIu64 "\n", w->number, e->u.entered.slot);
        } else if (e->kind == EFFECT_STORE) {
            say_header(e->u.store.head);
            say_block('h', w->number, &e->u.store.head->hash);
        } else if (e->kind == EFFECT_FINAL) {
            say_header(e->u.final.head);
            say_block('f', w->number, &e->u.final.block);
        }
    }
}

static void say_cur(char what, const struct watched *w, const struct core *c)
{
    struct status s;
    core_get_status(c, &s);
    fprintf(out, "%c %d %" PRIu64 "\n", what, w->number, s.cur);
    fflush(out); /* who runs the core may end without a word */
}

/* ---- in between ------------------------------------------------------------------------------------- */

enum err __wrap_core_init(struct core **o, void *memory, const struct core_config *config)
{
    enum err err = __real_core_init(o, memory, config);
    if (err != OK || !tracing()) {
        return err;
    }
    struct watched *w = find(*o);
    w = w != NULL ? w : &watched[cores % CORES]; /* the oldest has long ended */
    *w = (struct watched){*o, cores++, *config};
    const struct epoch_config *e = &config->epoch;
    struct block_head anchor = {.header = config->anchor, .hash = header_hash(&config->anchor)};
    say_header(&anchor);
    fprintf(out, "I %d %d %u %u %u %u %u %d %016" PRIx64 "\n", w->number, config->self, e->n,
            e->quorum, e->faulty, e->params.turn_slots, e->params.depth,
            e->params.execute_before_finalize == 0, name(&anchor.hash));
    for (uint32_t i = 0; i < e->n; i++) {
        fprintf(out, "W %d %u %u\n", w->number, i, e->member[i].weight);
    }
    return err;
}

enum err __wrap_core_restore_final(struct core *c, const struct core_restored_final *final)
{
    const struct watched *w = find(c);
    if (w != NULL && tracing()) {
        say_header(final->head);
        fprintf(out, "q %d %016" PRIx64 " %d\n", w->number, name(&final->head->hash),
                final->executed);
        if (final->cert != NULL) {
            say_vote('k', w->number, final->cert->kind, final->cert->slot, &final->cert->block);
        }
    }
    return __real_core_restore_final(c, final);
}

enum err __wrap_core_restore_block(struct core *c, const struct block_head *head, bool body)
{
    const struct watched *w = find(c);
    if (w != NULL && tracing()) {
        say_header(head);
        fprintf(out, "b %d %016" PRIx64 " %d\n", w->number, name(&head->hash), body);
    }
    return __real_core_restore_block(c, head, body);
}

enum err __wrap_core_restore_certificate(struct core *c, const struct certificate *cert)
{
    const struct watched *w = find(c);
    if (w != NULL && tracing() && cert_good(w, cert)) {
        say_vote('k', w->number, cert->kind, cert->slot, &cert->block);
    }
    return __real_core_restore_certificate(c, cert);
}

enum err __wrap_core_restore_vote(struct core *c, const struct vote *vote)
{
    const struct watched *w = find(c);
    if (w != NULL && tracing() && vote->epoch == w->config.epoch.epoch &&
        vote->signer == w->config.self) {
        say_vote('v', w->number, vote->kind, vote->slot, &vote->block);
    }
    return __real_core_restore_vote(c, vote);
}

void __wrap_core_start(struct core *c, uint64_t now_us, struct effects *scratch)
{
    __real_core_start(c, now_us, scratch);
    if (find(c) != NULL && tracing()) {
        say_cur('S', find(c), c);
    }
}

void __wrap_core_step(struct core *c, const struct event *event, struct effects *effects)
{
    const struct watched *w = find(c);
    if (w == NULL || !tracing()) {
        __real_core_step(c, event, effects);
        return;
    }
    say_event(w, event);
    __real_core_step(c, event, effects);
    say_effects(w, effects);
    say_cur('.', w, c);
}
