/* One member: the real core, what it is given, and a disk on which a write is durable when the
 * action that made it ends; a crash in the midst of an action is a crash before it, for nothing of
 * it had left. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/explore/explore.h"

/* ---- what it says --------------------------------------------------------------------------------- */

static int cert_number(struct machine *m, const struct certificate *c)
{
    int block = c->kind == VOTE_SKIP ? 0 : scene_block_of(m->scene, &c->block);
    if (block < 0 || certificate_check_form(&m->scene->epoch, c) != OK) {
        broken("member %d shows a certificate that is none, slot %llu", m->self,
               (unsigned long long)c->slot);
    }
    return scene_cert(m->scene, c->kind - 1, c->slot, block);
}

static bool on_disk(const struct machine *m, int kind, uint64_t slot)
{
    for (int i = 0; i < m->disk.votes; i++) {
        if (m->disk.vote[i].kind == kind && m->disk.vote[i].slot == slot) {
            return true;
        }
    }
    return false;
}

/* Nothing leaves, in a certificate or alone, that holds an own vote which is not durable (T1). */
static void judge_shown(struct machine *m, const struct certificate *c)
{
    cert_number(m, c);
    if ((c->signers & 1u << m->self) != 0 && !on_disk(m, c->kind - 1, c->slot)) {
        broken("T1: member %d shows a certificate with an own vote that is not durable", m->self);
    }
}

static uint64_t judge_bundle(struct machine *m, const struct bundle *b)
{
    uint64_t certs = 0;
    for (uint32_t i = 0; i < b->certs; i++) {
        judge_shown(m, &b->cert[i]);
        certs |= (uint64_t)1 << cert_number(m, &b->cert[i]);
    }
    for (uint32_t i = 0; i < b->votes; i++) {
        if (!on_disk(m, b->vote[i].kind - 1, b->vote[i].slot)) {
            broken("§8: member %d sends a vote that is not durable", m->self);
        }
    }
    return certs;
}

static void on_send(struct machine *m, const struct effect *e)
{
    const struct message *msg = e->u.send.message;
    if (msg->kind == MSG_PROPOSAL) {
        uint64_t certs = judge_bundle(m, &msg->u.proposal.justification);
        int block = scene_block(m->scene, &msg->u.proposal.head);
        m->made |= (uint64_t)1 << scene_proposal(m->scene, block, certs);
    } else if (msg->kind == MSG_BUNDLE || (msg->kind == MSG_VOTES && e->u.send.gate == 0)) {
        judge_bundle(m, &msg->u.bundle);
    }
}

static void on_final(struct machine *m, const struct effect *e)
{
    struct disk *d = &m->disk;
    int block = scene_block(m->scene, e->u.final.head);
    if (m->scene->block[block].parent != d->final_coming) {
        broken("member %d delivers slot %llu, which does not follow", m->self,
               (unsigned long long)e->u.final.head->header.slot);
    }
    d->final_coming = (uint8_t)block;
    if (e->u.final.cert != NULL) {
        judge_shown(m, e->u.final.cert);
        d->final_cert_coming = (uint8_t)(cert_number(m, e->u.final.cert) + 1);
    }
    memcpy(d->bench_coming, e->u.final.bench, sizeof d->bench_coming);
}

/* Sorted: which vote was written first decides nothing any more. */
static void keep_vote(struct disk *d, struct disk_vote v)
{
    if (d->votes == sizeof d->vote / sizeof d->vote[0]) {
        broken("a journal longer than there is room for");
    }
    int i = d->votes++;
    for (; i > 0 && (d->vote[i - 1].slot > v.slot ||
                     (d->vote[i - 1].slot == v.slot && d->vote[i - 1].kind > v.kind));
         i--) {
        d->vote[i] = d->vote[i - 1];
    }
    d->vote[i] = v;
}

/* The write becomes durable, with all that was on its way to the disk. */
static void on_persist(struct machine *m, const struct effect *e, uint64_t final)
{
    struct disk *d = &m->disk;
    rules_judge_write(m->scene, d, e, m->self, final);
    for (uint32_t i = 0; i < e->u.persist.votes; i++) {
        const struct vote *v = &e->u.persist.vote[i];
        int block = v->kind == VOTE_SKIP ? 0 : scene_block_of(m->scene, &v->block);
        keep_vote(d, (struct disk_vote){(uint8_t)(v->kind - 1), (uint8_t)v->slot, (uint8_t)block});
    }
    for (uint32_t i = 0; i < e->u.persist.certs; i++) {
        d->certs |= (uint64_t)1 << cert_number(m, e->u.persist.cert[i]);
    }
    if (e->u.persist.proposing) {
        d->proposing |= (uint64_t)1 << e->u.persist.proposing_turn;
    }
    d->heads = d->heads_coming;
    d->final = d->final_coming;
    d->final_cert = d->final_cert_coming;
    memcpy(d->bench, d->bench_coming, sizeof d->bench);
}

static void on_effect(struct machine *m, const struct effect *e)
{
    switch (e->kind) {
    case EFFECT_SEND:
        on_send(m, e);
        break;
    case EFFECT_FINAL:
        on_final(m, e);
        break;
    case EFFECT_STORE:
        m->disk.heads_coming |= (uint64_t)1 << scene_block(m->scene, e->u.store.head);
        break;
    case EFFECT_ALARM:
        broken("member %d: alarm, %s, slot %llu", m->self, alarm_name(e->u.alarm.what),
               (unsigned long long)e->u.alarm.slot);
    case EFFECT_BAN:
        broken("member %d bans %d: %s", m->self, e->u.ban.member, e->u.ban.why);
    case EFFECT_EVIDENCE:
        if (e->u.evidence.member != m->scene->o.liar) {
            broken("member %d has evidence against honest %d", m->self, e->u.evidence.member);
        }
        break;
    case EFFECT_PERSIST:
    case EFFECT_BUILD:
    case EFFECT_CANCEL:
    case EFFECT_EXECUTE:
    case EFFECT_FETCH:
    case EFFECT_NOTARIZED:
    case EFFECT_SKIPPED:
    case EFFECT_ENTERED:
        break;
    }
}

/* ---- steps ---------------------------------------------------------------------------------------- */

static void judge_after(struct machine *m, uint64_t cur, uint64_t final)
{
    struct core *c = m->core;
    if (c->cur < cur || c->highest_final < final) {
        broken("member %d goes back, from slot %llu to %llu", m->self, (unsigned long long)cur,
               (unsigned long long)c->cur);
    }
    bool first = c->cur == turn_first(c, turn_of(c, c->cur));
    if (first && chain_parent(c, c->cur, true) == NULL) {
        broken("member %d is in slot %llu and can justify no parent", m->self,
               (unsigned long long)c->cur);
    }
}

static void give(struct machine *m, struct event ev)
{
    uint64_t cur = m->core->cur;
    uint64_t final = m->core->highest_final;
    ev.now_us = m->now_us;
    ev.wall_ms = m->scene->block[0].head.header.timestamp_ms;
    core_step(m->core, &ev, m->effects);
    uint64_t written = 0;
    for (uint32_t i = 0; i < m->effects->n; i++) {
        on_effect(m, &m->effects->effect[i]);
    }
    for (uint32_t i = 0; i < m->effects->n; i++) {
        if (m->effects->effect[i].kind == EFFECT_PERSIST) {
            on_persist(m, &m->effects->effect[i], final);
            written = m->effects->effect[i].u.persist.sequence;
        }
    }
    judge_after(m, cur, final);
    if (written != 0) {
        give(m, (struct event){.kind = EVENT_PERSISTED, .peer = -1, .u.persisted = written});
    }
}

static void action_ends(struct machine *m)
{
    normal_form(m->core);
    m->now_us = BASE_US;
}

void machine_timer(struct machine *m, bool alone)
{
    m->made = 0;
    m->now_us = BASE_US + STEP_US;
    for (uint32_t i = 0; i < m->scene->o.n; i++) {
        m->core->peer[i].heard_us = alone ? BASE_US - AGE_US : m->now_us;
    }
    give(m, (struct event){.kind = EVENT_TICK, .peer = -1});
    action_ends(m);
}

static int sender_for(const struct machine *m)
{
    return m->self == 0 ? 1 : 0;
}

/* The way from the block down to the first one, parents first. */
static uint32_t path_to(const struct scene *s, int block, struct block_head *out)
{
    if (block == 0) {
        return 0;
    }
    uint32_t n = path_to(s, s->block[block].parent, out);
    out[n] = s->block[block].head;
    return n + 1;
}

void machine_cert(struct machine *m, int cert)
{
    struct certificate c;
    struct block_head path[SLOTS_MOST + 1];
    struct message msg = {.kind = MSG_BUNDLE};
    m->made = 0;
    scene_make_cert(m->scene, cert, m->self, &c);
    msg.u.bundle.cert = &c;
    msg.u.bundle.certs = 1;
    msg.u.bundle.head = path;
    msg.u.bundle.heads = path_to(m->scene, m->scene->cert[cert].block, path);
    give(m, (struct event){.kind = EVENT_MESSAGE, .peer = sender_for(m), .u.message = &msg});
    action_ends(m);
}

void machine_vote(struct machine *m, int signer, int cert)
{
    struct vote v;
    struct message msg = {.kind = MSG_VOTES, .u.bundle = {.vote = &v, .votes = 1}};
    m->made = 0;
    scene_make_vote(m->scene, signer, &m->scene->cert[cert], &v);
    give(m, (struct event){.kind = EVENT_MESSAGE, .peer = signer, .u.message = &msg});
    action_ends(m);
}

void machine_proposal(struct machine *m, int proposal)
{
    const struct proposal_entry *p = &m->scene->proposal[proposal];
    struct certificate cert[CERTS];
    struct block_head path[CERTS];
    struct message msg = {.kind = MSG_PROPOSAL};
    struct bundle *b = &msg.u.proposal.justification;
    m->made = 0;
    msg.u.proposal.head = m->scene->block[p->block].head;
    b->cert = cert;
    b->head = path;
    for (int i = 0; i < CERTS; i++) {
        if ((p->certs >> i & 1) != 0) {
            scene_make_cert(m->scene, i, m->self, &cert[b->certs++]);
        }
    }
    b->heads = p->certs == 0 ? 0 : path_to(m->scene, m->scene->block[p->block].parent, path);
    int from = msg.u.proposal.head.header.leader;
    if (from != m->self) {
        give(m, (struct event){.kind = EVENT_MESSAGE, .peer = from, .u.message = &msg});
    }
    action_ends(m);
}

/* ---- starting --------------------------------------------------------------------------------- */

static void restore(struct machine *m)
{
    const struct scene *s = m->scene;
    const struct disk *d = &m->disk;
    struct certificate c;
    struct core_restored_final f = {.head = &s->block[d->final].head, .executed = true,
                                    .bench = d->bench, .bench_len = sizeof d->bench};
    if (d->final_cert != 0) {
        scene_make_cert(s, d->final_cert - 1, m->self, &c);
        f.cert = &c;
    }
    bool good = d->final == 0 || core_restore_final(m->core, &f) == OK;
    for (int i = 1; i < s->blocks; i++) {
        if ((d->heads >> i & 1) != 0) {
            good &= core_restore_block(m->core, &s->block[i].head, true) == OK;
        }
    }
    for (int i = 0; i < s->certs; i++) {
        if ((d->certs >> i & 1) != 0) {
            scene_make_cert(s, i, m->self, &c);
            good &= core_restore_certificate(m->core, &c) == OK;
        }
    }
    for (int i = 0; i < d->votes; i++) {
        const struct disk_vote *v = &d->vote[i];
        struct cert_entry what = {v->kind, v->slot, v->block};
        struct vote vote;
        scene_make_vote(s, m->self, &what, &vote);
        good &= core_restore_vote(m->core, &vote) == OK;
    }
    for (uint64_t t = 0; t < 64; t++) {
        if ((d->proposing >> t & 1) != 0) {
            core_restore_proposing(m->core, t);
        }
    }
    core_restore_sequence(m->core, 1);
    if (!good) {
        broken("member %d cannot read its disk", m->self);
    }
}

void machine_boot(struct machine *m)
{
    const struct scene *s = m->scene;
    struct core_config config = {.epoch = s->epoch, .anchor = s->block[0].head.header,
                                 .self = m->self, .start_us = BASE_US - AGE_US,
                                 .crypto = s->crypto[m->self]};
    store_be64(config.instance, (uint64_t)m->self + 1);
    m->made = 0;
    m->now_us = BASE_US;
    m->disk.heads_coming = m->disk.heads;
    m->disk.final_coming = m->disk.final;
    m->disk.final_cert_coming = m->disk.final_cert;
    memcpy(m->disk.bench_coming, m->disk.bench, sizeof m->disk.bench);
    if (core_init(&m->core, m->memory, &config) != OK) {
        broken("the core refuses its configuration");
    }
    memcpy(m->blank, m->core, sizeof *m->core);
    restore(m);
    core_start(m->core, BASE_US, m->effects);
    for (int i = 0; i < (int)s->o.n; i++) {
        if (i != m->self) {
            give(m, (struct event){.kind = EVENT_PEER, .peer = i, .u.peer.up = true});
        }
    }
    if (s->o.last) {
        give(m, (struct event){.kind = EVENT_HEALTH, .peer = -1, .u.health.draining = true});
    }
    action_ends(m);
}

void machine_init(struct machine *m, struct scene *s, int self)
{
    struct core_config config = {.epoch = s->epoch};
    size_t size = core_footprint(&config);
    memset(m, 0, sizeof *m);
    m->scene = s;
    m->self = self;
    m->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    m->blank = malloc(sizeof *m->blank);
    m->effects = malloc(sizeof *m->effects);
    if (m->memory == MAP_FAILED || m->blank == NULL || m->effects == NULL) {
        broken("no memory left");
    }
    machine_boot(m);
}

void machine_free(struct machine *m)
{
    struct core_config config = {.epoch = m->scene->epoch};
    munmap(m->memory, core_footprint(&config));
    free(m->blank);
    free(m->effects);
}
