#include <stdio.h>
#include <stdlib.h>

#include "proto/keccak.h"
#include "world.h"

enum { TIMER_MS = 1000, RAW_BYTES = 64, DATA_BYTES = 24 };

/* ---- instructions ---------------------------------------------------------------------------------- */

/* Harm strikes between two instructions. False: the process is dead, nothing has an effect. */
static bool instruction(struct sim_member *m)
{
    if (m->killed) {
        return false;
    }
    if (m->fuse == 0 || --m->fuse > 0) {
        return true;
    }
    if (m->fuse_kills) {
        m->killed = true;
        return false;
    }
    m->paused_till = m->w->now + 10000 + world_below(&m->w->seed, 80000);
    return true;
}

static struct blob_of_bytes copy_of(struct bytes b)
{
    struct blob_of_bytes c = {malloc(b.n + 1), b.n};
    memcpy(c.p, b.p, b.n);
    return c;
}

/* ---- what the transaction manager is given --------------------------------------------------------- */

static enum err sign(void *ctx, const struct txm_request *r, uint8_t *out, size_t cap, size_t *n)
{
    struct sim_member *m = ctx;
    if (!instruction(m)) {
        return ERR_IO;
    }
    struct sim_tx tx = {.account = m->index,
                        .nonce = r->nonce,
                        .kind = (uint8_t)r->kind,
                        .fees = r->fees,
                        .gas = r->gas,
                        .blobs = r->payload->blobs,
                        .segment = r->payload->segment,
                        .part = r->payload->part};
    tx.content = keccak256(&tx, sizeof tx);
    *n = RAW_BYTES < cap ? RAW_BYTES : cap;
    memset(out, 0, *n);
    memcpy(out, tx.content.b, sizeof tx.content.b);
    tx.hash = keccak256(out, *n);
    return sim_l1_register(&m->w->l1, &tx) != NULL ? OK : ERR_NO_MEMORY;
}

static enum err append(void *ctx, struct bytes group)
{
    struct sim_member *m = ctx;
    if (!instruction(m) || m->groups == MOST_GROUPS) {
        return ERR_IO;
    }
    m->group[m->groups++] = copy_of(group);
    return instruction(m) ? OK : ERR_IO;
}

static void forget_groups(struct sim_member *m)
{
    while (m->groups > 0) {
        free(m->group[--m->groups].p);
    }
}

static enum err replace(void *ctx, struct bytes group)
{
    struct sim_member *m = ctx;
    if (!instruction(m)) {
        return ERR_IO;
    }
    struct blob_of_bytes fresh = copy_of(group);
    forget_groups(m);
    m->group[m->groups++] = fresh;
    return instruction(m) ? OK : ERR_IO;
}

static struct txm_receipt receipt(void *ctx, const struct hash *hash)
{
    struct sim_member *m = ctx;
    struct sim_l1 *l = &m->w->l1;
    const struct sim_tx *tx = sim_l1_find(l, hash);
    struct txm_receipt r = {.found = TXM_ABSENT, .pool = TXM_NOWHERE};
    if (world_chance(&m->w->seed, 5)) {
        return (struct txm_receipt){.found = TXM_UNKNOWN};
    }
    int b = tx != NULL ? sim_l1_where(l, m->head, tx) : -1;
    if (b >= 0) {
        r.found = TXM_INCLUDED;
        r.block = l->block[b].at;
    } else if (tx != NULL && tx->pooled) {
        r.pool = TXM_POOLED;
    }
    return r;
}

/* ---- what leaves it ---------------------------------------------------------------------------------- */

/* I6: whatever anybody sends stands in the journal of its owner. */
static bool is_journaled(const struct sim_member *owner, const struct hash *content)
{
    for (size_t i = 0; i < owner->groups; i++) {
        struct bytes group = bytes_of(owner->group[i].p, owner->group[i].n);
        struct txm_record r;
        enum err e;
        while (txm_group_next(&group, &r, &e)) {
            if (r.type == TXM_RUNG && memcmp(r.raw.p, content->b, sizeof content->b) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* I3: no second payload for a nonce, unless the first was derived or gives way to a cancellation. */
static void check_nonce(struct sim_member *m, const struct sim_tx *tx)
{
    struct sim_l1 *l = &m->w->l1;
    for (size_t i = 0; i < l->txs; i++) {
        const struct sim_tx *o = &l->tx[i];
        bool other = o->account == tx->account && o->nonce == tx->nonce &&
                     (o->segment != tx->segment || o->part != tx->part);
        if (other && o->pooled && o->segment != TXM_NO_SEGMENT &&
            o->segment >= l->block[m->head].next) {
            world_wrong(m->w, "I3: account %d nonce %llu: segment %llu gives way to %llu", tx->account,
                        (unsigned long long)tx->nonce, (unsigned long long)o->segment,
                        (unsigned long long)tx->segment);
        }
    }
}

static void check_send(struct sim_member *m, const struct sim_tx *tx)
{
    struct world *w = m->w;
    const struct sim_member *owner = &w->member[tx->account];
    uint64_t next = w->l1.block[m->head].next;
    if (!is_journaled(owner, &tx->content)) {
        /* A journal that was written anew leaves out what is final. */
        if (tx->nonce >= w->l1.block[m->head].nonce[tx->account]) {
            world_wrong(w, "I6: account %d nonce %llu is not journaled", tx->account,
                        (unsigned long long)tx->nonce);
        }
    }
    if (tx->segment != TXM_NO_SEGMENT && tx->segment >= w->segments) {
        world_wrong(w, "I2: segment %llu is not sealed", (unsigned long long)tx->segment);
    }
    if (tx->segment != TXM_NO_SEGMENT && tx->segment > next + 1) {
        world_wrong(w, "I1: segment %llu at cursor %llu", (unsigned long long)tx->segment,
                    (unsigned long long)next);
    }
    /* Others may be behind with their head. */
    if (m->index == tx->account) {
        check_nonce(m, tx);
    }
}

static enum l1_send to_l1(struct sim_member *m, const struct hash *hash)
{
    if (world_l1_down(m->w)) {
        return L1_SEND_NET;
    }
    const struct sim_tx *tx = sim_l1_find(&m->w->l1, hash);
    if (tx != NULL) {
        check_send(m, tx);
    }
    return sim_l1_send(&m->w->l1, hash);
}

static void tell(struct sim_member *m, const struct stuck *s)
{
    enum l1_send verdict = to_l1(m, &s->hash);
    if (s->own) {
        txm_answer(m->txm, &s->hash, verdict);
        return;
    }
    bool never = verdict == L1_SEND_FUNDS || verdict == L1_SEND_OTHERKIND || verdict == L1_SEND_BUG;
    duty_sent(m->duty, s->segment, s->owner, never ? DUTY_SENT_NEVER : DUTY_SENT_FINE);
}

/* What a paused process was about to do comes when it goes on. */
static void send_raw(struct sim_member *m, const struct stuck *s)
{
    if (!instruction(m)) {
        return;
    }
    if (m->paused_till > m->w->now && m->stucks < MOST_STUCK) {
        m->stuck[m->stucks++] = *s;
        return;
    }
    tell(m, s);
}

static void post_letter(struct sim_member *m, uint8_t to, const struct letter *l)
{
    struct world *w = m->w;
    struct sim_member *there = &w->member[to];
    bool cut = m->cut_till > w->now || there->cut_till > w->now;
    if (!there->up || cut || there->letters == MOST_LETTERS) {
        return;
    }
    struct letter *in = &there->letter[there->letters++];
    *in = *l;
    in->from = m->index;
    in->at = (m->paused_till > w->now ? m->paused_till : w->now) + 5 + world_below(&w->seed, 45);
    in->at = in->at > there->last_at[m->index] ? in->at : there->last_at[m->index];
    there->last_at[m->index] = in->at;
    if (l->p != NULL) {
        struct blob_of_bytes c = copy_of(bytes_of(l->p, l->n));
        in->p = c.p;
    }
}

/* ---- intents ------------------------------------------------------------------------------------------ */

static void store(struct sim_member *m, struct bytes encoded)
{
    if (m->stores < MOST_STORED) {
        m->stored[m->stores++] = copy_of(encoded);
    }
}

static struct txm_payload payload_of(const struct sim_member *m, const struct duty_segment *s,
                                     uint8_t part, uint8_t data[DATA_BYTES])
{
    struct txm_payload p = {.segment = s->no, .part = part, .last = s->last};
    store_be64(data, s->no);
    store_be64(data + 8, s->first);
    store_be64(data + 16, s->last);
    p.kind = m->w->l1.kind;
    p.data = bytes_of(data, DATA_BYTES);
    if (p.kind == TXM_BLOB) {
        p.blobs = 1 + s->no % LIMIT_TX_BLOBS;
        for (size_t i = 0; i < p.blobs; i++) {
            p.versioned[i] = keccak256(data, 8 + i);
        }
    }
    return p;
}

static void part_of(struct intent_part *out, const struct txm_slot_view *v)
{
    *out = (struct intent_part){.nonce = v->nonce, .blobs = v->payload->blobs};
    memcpy(out->versioned, v->payload->versioned, sizeof out->versioned);
    for (; out->rungs < v->rungs && out->rungs < INTENT_LADDER; out->rungs++) {
        out->raw[out->rungs] = v->raw[out->rungs];
    }
}

/* Journaled slots of the segment become an intent, which is on disk before anybody hears of it. */
static void make_intent(struct sim_member *m, const struct duty_segment *s)
{
    struct post_intent i = {.segment = s->no,
                            .first = s->first,
                            .last = s->last,
                            .member = m->index,
                            .kind = m->w->l1.kind,
                            .time_ms = m->w->now,
                            .parts = m->w->l1.parts};
    struct buffer encoded;
    i.account.b[0] = m->index;
    for (uint8_t p = 0; p < i.parts; p++) {
        struct txm_slot_view v;
        txm_slot(m->txm, (size_t)txm_find(m->txm, s->no, p), &v);
        part_of(&i.part[p], &v);
    }
    buffer_init(&encoded, LIMIT_INTENT_BYTES);
    if (intent_encode(&encoded, &i) != OK) {
        world_wrong(m->w, "an intent cannot be encoded");
    }
    if (instruction(m)) {
        store(m, buffer_bytes(&encoded));
        enum err e = duty_intent_add(m->duty, buffer_bytes(&encoded), false, false, m->w->now,
                                     NULL);
        if (e != OK) {
            world_wrong(m->w, "own intent: %s", err_name(e));
        }
    }
    buffer_free(&encoded);
}

static bool is_carried(const struct sim_member *m, uint64_t segment)
{
    for (uint8_t p = 0; p < m->w->l1.parts; p++) {
        int i = txm_find(m->txm, segment, p);
        struct txm_slot_view v;
        if (i < 0) {
            return false;
        }
        txm_slot(m->txm, (size_t)i, &v);
        if (v.state >= TXM_MINED) {
            return false;
        }
    }
    return true;
}

static bool do_post(struct sim_member *m, const struct duty_segment *s)
{
    struct txm_payload p[INTENT_PARTS];
    uint8_t data[INTENT_PARTS][DATA_BYTES];
    uint64_t nonce[INTENT_PARTS];
    for (uint8_t k = 0; k < m->w->l1.parts; k++) {
        p[k] = payload_of(m, s, k, data[k]);
    }
    if (!is_carried(m, s->no) && txm_post(m->txm, p, m->w->l1.parts, nonce) != OK) {
        return false;
    }
    m->w->posts++;
    make_intent(m, s);
    return true;
}

/* ---- a step ------------------------------------------------------------------------------------------- */

static struct txm_view txm_view_of(struct sim_member *m)
{
    const struct sim_l1 *l = &m->w->l1;
    const struct sim_block *b = &l->block[m->head];
    struct txm_view v = {.now_ms = m->w->now, .ok = !world_l1_down(m->w), .head = b->at};
    v.account.nonce = b->nonce[m->index];
    v.account.balance = b->balance[m->index];
    v.market.base_fee = b->base_fee;
    v.market.blob_base_fee = b->blob_fee;
    v.market.tip = u256_from_u64(1000000000);
    v.gas_room = v.blob_room = v.derived = true;
    v.safe = b->next * BLOCKS_A_SEGMENT;
    v.ctx = m;
    v.receipt = receipt;
    if (b->at.number > FINAL_DEPTH) {
        v.has_finalized = true;
        v.finalized = b->at.number - FINAL_DEPTH;
        v.final_nonce = l->block[sim_l1_ancestor(l, m->head, v.finalized)].nonce[m->index];
    }
    return v;
}

static struct duty_view duty_view_of(const struct sim_member *m)
{
    const struct world *w = m->w;
    const struct sim_l1 *l = &w->l1;
    const struct sim_block *b = &l->block[m->head];
    struct txm_status s;
    txm_status(m->txm, &s);
    struct duty_view v = {.now_ms = w->now, .l1_ok = !world_l1_down(w), .derived = true};
    v.head = b->at.number;
    v.safe = b->next * BLOCKS_A_SEGMENT;
    int final = b->at.number > FINAL_DEPTH
                    ? sim_l1_ancestor(l, m->head, b->at.number - FINAL_DEPTH) : 0;
    v.safe_final = l->block[final].next * BLOCKS_A_SEGMENT;
    v.leader = m->cut_till > w->now ? -1 : world_leader(w);
    v.able = (s.alarms & (TXM_ALARM_STOLEN | TXM_ALARM_FUNDS | TXM_ALARM_JOURNAL)) == 0;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        const struct sim_member *o = &w->member[i];
        v.account[i] = (struct duty_account){.known = true, .nonce = b->nonce[i]};
        bool there = o->up && o->cut_till <= w->now && m->cut_till <= w->now;
        v.connected |= there ? UINT32_C(1) << i : 0;
    }
    return v;
}

static void do_share(struct sim_member *m, const struct duty_action *a)
{
    struct letter l = {.segment = a->segment, .n = a->encoded.n};
    struct blob_of_bytes c = copy_of(a->encoded);
    l.p = c.p;
    for (uint8_t i = 0; i < MEMBERS; i++) {
        if ((a->to >> i & 1) != 0 && instruction(m)) {
            post_letter(m, i, &l);
        }
    }
    free(c.p);
}

static bool do_release(struct sim_member *m, const struct duty_action *a)
{
    for (uint8_t p = 0; p < m->w->l1.parts; p++) {
        int i = txm_find(m->txm, a->segment, p);
        struct txm_slot_view v;
        if (i < 0) {
            return false;
        }
        txm_slot(m->txm, (size_t)i, &v);
        if (txm_release(m->txm, v.nonce) != OK) {
            return false;
        }
    }
    duty_released(m->duty, a->segment);
    return true;
}

static void do_push(struct sim_member *m, const struct duty_action *a)
{
    for (size_t p = 0; p < a->intent->parts; p++) {
        struct bytes raw = a->intent->part[p].raw[a->rung];
        struct stuck s = {.segment = a->segment, .owner = a->owner};
        s.hash = keccak256(raw.p, raw.n);
        m->w->pushes++;
        send_raw(m, &s);
    }
}

/* True: something changed that duty should look at again. */
static bool do_actions(struct sim_member *m)
{
    struct duty_view v = duty_view_of(m);
    struct duty_plan plan;
    bool again = false;
    duty_tick(m->duty, &v, &plan);
    txm_limit(m->txm, plan.upto);
    for (size_t i = 0; i < plan.n && !m->killed; i++) {
        const struct duty_action *a = &plan.action[i];
        switch (a->what) {
        case DUTY_POST:
            again = do_post(m, &m->w->segment[a->segment]) || again;
            /* Other actions borrow from intents that it changed. */
            return again;
        case DUTY_SHARE:
            do_share(m, a);
            break;
        case DUTY_RELEASE:
            again = do_release(m, a) || again;
            break;
        case DUTY_PUSH:
            do_push(m, a);
            break;
        }
    }
    return again;
}

static void step(struct sim_member *m)
{
    struct txm_view v = txm_view_of(m);
    struct txm_send s;
    txm_tick(m->txm, &v);
    for (int i = 0; i < 8 && !m->killed && do_actions(m); i++) {
    }
    while (!m->killed && txm_next_send(m->txm, &s)) {
        struct stuck own = {.hash = s.hash, .own = true};
        send_raw(m, &own);
    }
}

static void take_letter(struct sim_member *m, const struct letter *l)
{
    if (l->ack) {
        duty_ack(m->duty, l->segment, NULL, l->from);
        return;
    }
    struct bytes rather;
    enum err e =
        duty_intent_add(m->duty, bytes_of(l->p, l->n), false, false, m->w->now, &rather);
    if (e != OK || !instruction(m)) {
        return;
    }
    store(m, bytes_of(l->p, l->n));
    if (l->answer) {
        return;
    }
    struct letter answer = {.ack = rather.n == 0, .segment = l->segment, .n = rather.n};
    answer.answer = true;
    struct blob_of_bytes copy = copy_of(rather);
    answer.p = answer.ack ? NULL : copy.p;
    post_letter(m, l->from, &answer);
    free(copy.p);
}

static bool take_letters(struct sim_member *m)
{
    bool any = false;
    for (size_t i = 0; i < m->letters && !m->killed;) {
        struct letter l = m->letter[i];
        if (l.at > m->w->now) {
            i++;
            continue;
        }
        m->letters--;
        memmove(&m->letter[i], &m->letter[i + 1], (m->letters - i) * sizeof l);
        take_letter(m, &l);
        free(l.p);
        any = true;
    }
    return any;
}

static void learn_segments(struct sim_member *m)
{
    while (m->cut_till <= m->w->now && duty_segment_next(m->duty) < m->w->segments) {
        if (duty_segment_add(m->duty, &m->w->segment[duty_segment_next(m->duty)]) != OK) {
            world_wrong(m->w, "a segment is refused");
            return;
        }
    }
}

static void take_head(struct sim_member *m)
{
    /* After a pause: read anew. */
    bool away = m->w->now - m->ticked_ms > 2 * TIMER_MS;
    if (m->head != m->w->l1.head && (away || m->head_at <= m->w->now) && !world_l1_down(m->w)) {
        m->head = m->w->l1.head;
        m->wake = true;
    }
}

void sim_member_run(struct sim_member *m)
{
    struct world *w = m->w;
    for (size_t i = 0; i < m->stucks; i++) {
        tell(m, &m->stuck[i]);
        m->wake = true;
    }
    m->stucks = 0;
    learn_segments(m);
    take_head(m);
    bool letters = take_letters(m);
    if (letters || m->wake || w->now - m->ticked_ms >= TIMER_MS) {
        m->wake = false;
        m->ticked_ms = w->now;
        step(m);
    }
    if (m->killed) {
        sim_member_stop(m);
    }
}

/* ---- start and end -------------------------------------------------------------------------------------- */

static bool was_released(const struct sim_member *m, uint64_t segment)
{
    int i = txm_find(m->txm, segment, 0);
    struct txm_slot_view v;
    if (i < 0) {
        return false;
    }
    txm_slot(m->txm, (size_t)i, &v);
    return v.state != TXM_JOURNALED;
}

static void restore_intents(struct sim_member *m)
{
    for (size_t i = 0; i < m->stores; i++) {
        struct post_intent is;
        struct bytes b = bytes_of(m->stored[i].p, m->stored[i].n);
        if (intent_decode(&is, b) != OK) {
            world_wrong(m->w, "a stored intent is damaged");
            continue;
        }
        bool released = is.member == m->index && was_released(m, is.segment);
        enum err e = duty_intent_add(m->duty, b, false, released, m->w->now, NULL);
        if (e != OK && e != ERR_NOT_FOUND) {
            world_wrong(m->w, "a stored intent is refused: %s", err_name(e));
        }
    }
}

void sim_member_start(struct sim_member *m)
{
    struct world *w = m->w;
    struct txm_config c = txm_config_default();
    struct duty_config dc = duty_config_default(MEMBERS, m->index);
    const struct txm_signer signer = {m, sign};
    const struct txm_journal journal = {m, append, replace};
    c.chain_id = 900;
    c.kind = w->l1.kind;
    c.account.b[0] = m->index;
    c.max_pending = c.most_pending = 2 * w->l1.parts;
    m->killed = false;
    m->fuse = 0;
    m->up = true;
    m->head = w->l1.head;
    if (txm_new(&m->txm, &c, &signer, &journal) != OK || duty_new(&m->duty, &dc) != OK) {
        world_wrong(w, "no memory");
    }
    for (size_t i = 0; i < m->groups; i++) {
        if (txm_restore(m->txm, bytes_of(m->group[i].p, m->group[i].n)) != OK) {
            world_wrong(w, "the journal is refused");
        }
    }
    learn_segments(m);
    restore_intents(m);
}

void sim_member_stop(struct sim_member *m)
{
    struct world *w = m->w;
    struct txm_status s;
    txm_status(m->txm, &s);
    w->bumps += s.bumps;
    w->cancelled += s.cancelled;
    w->replaced += s.replaced;
    w->reorged += s.reorged;
    if ((s.alarms & TXM_ALARM_STOLEN) != 0) {
        world_wrong(w, "account %u calls its own nonces stolen", m->index);
    }
    txm_free(m->txm);
    duty_free(m->duty);
    while (m->letters > 0) {
        free(m->letter[--m->letters].p);
    }
    m->stucks = 0;
    m->up = false;
    m->up_at = w->now + 5000 + world_below(&w->seed, 120000);
}

void sim_member_free(struct sim_member *m)
{
    if (m->up) {
        sim_member_stop(m);
    }
    forget_groups(m);
    while (m->stores > 0) {
        free(m->stored[--m->stores].p);
    }
}
