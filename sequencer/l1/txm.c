#include "sequencer/l1/txm.h"

#include <stdlib.h>

#include "sequencer/l1/txm_state.h"

struct txm_config txm_config_default(void)
{
    return (struct txm_config){.kind = TXM_CALLDATA,
                               .fees = txm_fee_rules_default(),
                               .max_pending = 2,
                               .most_pending = 2,
                               .patience = 4,
                               .confirmations = 10,
                               .doubt = 3,
                               .resend_ms = 11000};
}

enum err txm_new(struct txm **out, const struct txm_config *c, const struct txm_signer *s,
                 const struct txm_journal *j)
{
    struct txm *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return ERR_NO_MEMORY;
    }
    t->cfg = *c;
    t->signer = *s;
    t->journal = *j;
    t->window = c->max_pending;
    t->limit = UINT64_MAX;
    *out = t;
    return OK;
}

void txm_free(struct txm *t)
{
    if (t == NULL) {
        return;
    }
    while (t->slots > 0) {
        txm_book_remove(t, t->slots - 1);
    }
    free(t->slot);
    free(t);
}

/* ---- a restart ----------------------------------------------------------------------------------- */

static struct txm_slot *slot_of(struct txm *t, const struct txm_record *r)
{
    struct txm_slot *s = txm_book_find(t, r->nonce);
    return s != NULL || r->type != TXM_PAYLOAD ? s : txm_book_add(t, r->nonce);
}

static enum err restore_slot(struct txm *t, const struct txm_record *r)
{
    struct txm_slot *s = slot_of(t, r);
    if (s == NULL) {
        return r->type == TXM_PAYLOAD ? ERR_NO_MEMORY : ERR_CORRUPT;
    }
    if (r->type == TXM_PAYLOAD) {
        s->released = false;
        return s->loads == TXM_LOADS ? ERR_CORRUPT
               : txm_book_load(s, &r->payload, r->gas) ? OK : ERR_NO_MEMORY;
    }
    if (r->type == TXM_RUNG) {
        return s->loads == 0 || s->rungs == LIMIT_TXM_RUNGS ? ERR_CORRUPT
               : txm_book_rung(s, &r->fees, r->raw) ? OK : ERR_NO_MEMORY;
    }
    if (r->rung >= s->rungs) {
        return ERR_CORRUPT;
    }
    s->top = r->rung;
    s->used = r->rung + (size_t)1;
    s->released = s->rung[r->rung].load == s->loads - 1;
    return OK;
}

static enum err restore(struct txm *t, const struct txm_record *r)
{
    uint64_t least = r->type == TXM_FLOOR ? r->nonce : r->nonce + 1;
    t->next_nonce = least > t->next_nonce ? least : t->next_nonce;
    t->had_journal = true;
    return r->type == TXM_FLOOR ? OK : restore_slot(t, r);
}

enum err txm_restore(struct txm *t, struct bytes group)
{
    struct txm_record r;
    enum err e = OK;
    while (txm_group_next(&group, &r, &e)) {
        TRY(restore(t, &r));
    }
    return e == OK ? OK : ERR_CORRUPT;
}

/* ---- how it stands ------------------------------------------------------------------------------- */

bool txm_hash(const struct txm *t, size_t *i, struct hash *out)
{
    size_t at = *i;
    for (size_t k = 0; k < t->slots; k++) {
        const struct txm_slot *s = t->slot[k];
        size_t n = s->mined ? 1 : s->rungs;
        if (at < n) {
            *out = s->rung[s->mined ? s->mined_rung : at].hash;
            ++*i;
            return true;
        }
        at -= n;
    }
    return false;
}

size_t txm_slots(const struct txm *t)
{
    return t->slots;
}

static enum txm_state state_of(const struct txm *t, const struct txm_slot *s)
{
    if (!s->mined) {
        return s->released ? TXM_PENDING : TXM_JOURNALED;
    }
    uint64_t deep = t->view.head.number - s->block.number + 1;
    return deep >= t->cfg.confirmations ? TXM_CONFIRMED : TXM_MINED;
}

void txm_slot(const struct txm *t, size_t i, struct txm_slot_view *out)
{
    const struct txm_slot *s = t->slot[i];
    size_t first = txm_first_rung(s);
    *out = (struct txm_slot_view){.nonce = s->nonce,
                                  .state = state_of(t, s),
                                  .obsolete = s->obsolete,
                                  .refused = s->refused,
                                  .block = s->block,
                                  .rungs = s->rungs - first};
    size_t load = s->mined ? s->rung[s->mined_rung].load : s->loads - 1;
    out->payload = &s->load[load].is;
    out->rung = s->top > first ? s->top - first : 0;
    for (size_t r = first; r < s->rungs; r++) {
        out->raw[r - first] = s->rung[r].raw;
    }
}

static bool carries(const struct txm_slot *s, uint64_t segment, uint8_t part)
{
    size_t load = s->mined ? s->rung[s->mined_rung].load : s->loads - 1;
    const struct txm_payload *p = &s->load[load].is;
    return !s->obsolete && !s->lost && p->segment == segment && p->part == part;
}

int txm_find(const struct txm *t, uint64_t segment, uint8_t part)
{
    int found = -1;
    for (size_t i = 0; i < t->slots; i++) {
        if (carries(t->slot[i], segment, part)) {
            found = (int)i;
            if (!t->slot[i]->mined) {
                break;
            }
        }
    }
    return found;
}

static uint32_t alarms_of(const struct txm *t)
{
    uint32_t a = (t->stopped ? TXM_ALARM_STOLEN : 0u) | (t->funds_short ? TXM_ALARM_FUNDS : 0u) |
                 (t->ceiling ? TXM_ALARM_CEILING : 0u) | (t->other_kind ? TXM_ALARM_KIND : 0u) |
                 (t->journal_error != OK ? TXM_ALARM_JOURNAL : 0u);
    for (size_t i = 0; i < t->slots; i++) {
        const struct txm_slot *s = t->slot[i];
        a |= s->refused && s->rebuilt >= TXM_REBUILDS ? TXM_ALARM_REFUSED : 0u;
        a |= s->drops >= TXM_REBUILDS ? TXM_ALARM_DROPPED : 0u;
    }
    return a;
}

void txm_status(const struct txm *t, struct txm_status *out)
{
    *out = t->count;
    out->alarms = alarms_of(t);
    out->journal = t->journal_error;
    out->next_nonce = t->next_nonce;
    out->unfinal = (uint32_t)t->slots;
    out->window = t->window;
    out->open = 0;
    out->in_flight = u256_from_u64(0);
    for (size_t i = 0; i < t->slots; i++) {
        const struct txm_slot *s = t->slot[i];
        if (!s->mined && !s->lost) {
            struct u256 cost = txm_reserved(s);
            (void)u256_add(&out->in_flight, &out->in_flight, &cost);
            out->open++;
        }
    }
}

/* ---- the operator's word ------------------------------------------------------------------------- */

enum err txm_adopt(struct txm *t)
{
    if (!t->seen) {
        return ERR_NOT_READY;
    }
    uint64_t nonce = t->view.account.nonce;
    for (size_t i = t->slots; i-- > 0;) {
        if (t->slot[i]->nonce < nonce && !t->slot[i]->mined) {
            txm_book_remove(t, i);
        }
    }
    t->next_nonce = nonce > t->next_nonce ? nonce : t->next_nonce;
    t->stopped = false;
    t->doubt_head = 0;
    t->journal_grown = SIZE_MAX / 2; /* written anew, without them */
    txm_book_compact(t);
    return t->journal_error;
}
