#include "sequencer/l1/txm_state.h"

static bool is_due(const struct txm *t, const struct txm_slot *s)
{
    if (!txm_is_pending(s) || s->obsolete || s->refused || s->nonce < t->view.account.nonce ||
        s->rung[s->top].load != s->loads - 1) {
        return false;
    }
    uint64_t segment = txm_in_force(s)->is.segment;
    if (segment != TXM_NO_SEGMENT && segment >= t->limit) {
        return false;
    }
    if (s->wait_head != 0 && t->view.head.number <= s->wait_head) {
        return false;
    }
    return s->due || !s->sent || t->view.now_ms - s->sent_ms >= t->cfg.resend_ms;
}

bool txm_next_send(struct txm *t, struct txm_send *out)
{
    bool other = t->other_kind && t->view.head.number <= t->other_head;
    if (!t->sendable || t->stopped || other) {
        return false;
    }
    for (size_t i = 0; i < t->slots; i++) {
        struct txm_slot *s = t->slot[i];
        if (!is_due(t, s)) {
            continue;
        }
        const struct txm_rung *r = &s->rung[s->top];
        *out = (struct txm_send){
            .nonce = s->nonce, .hash = r->hash, .raw = r->raw, .payload = &s->load[r->load].is};
        s->due = false;
        s->sent = true;
        s->sent_ms = t->view.now_ms;
        t->count.sends++;
        return true;
    }
    return false;
}

static struct txm_slot *slot_in_use(struct txm *t, const struct hash *hash)
{
    for (size_t i = 0; i < t->slots; i++) {
        struct txm_slot *s = t->slot[i];
        if (s->released && hash_equal(&s->rung[s->top].hash, hash)) {
            return s;
        }
    }
    return NULL;
}

static void resend_below(struct txm *t, uint64_t nonce)
{
    for (size_t i = 0; i < t->slots && t->slot[i]->nonce < nonce; i++) {
        t->slot[i]->due = true;
    }
}

static void wait_for_head(const struct txm *t, struct txm_slot *s)
{
    s->wait_head = t->view.head.number;
    s->due = true;
}

static void accept(const struct txm *t, struct txm_slot *s, bool by_hash)
{
    if (by_hash && !s->accepted) {
        s->accepted = true;
        s->accepted_head = t->view.head.number;
    }
    s->low = false;
}

void txm_answer(struct txm *t, const struct hash *hash, enum l1_send verdict)
{
    struct txm_slot *s = slot_in_use(t, hash);
    if (s == NULL) {
        return;
    }
    switch (verdict) {
    case L1_SEND_ACCEPTED:
    case L1_SEND_PENDING:
        accept(t, s, verdict == L1_SEND_ACCEPTED);
        t->other_kind = false;
        break;
    case L1_SEND_BUMP:
        s->low = true;
        break;
    case L1_SEND_OTHERKIND:
        t->other_kind = true;
        t->other_head = t->view.head.number;
        s->due = true;
        break;
    case L1_SEND_GAP:
        resend_below(t, s->nonce);
        wait_for_head(t, s);
        break;
    case L1_SEND_FUNDS:
        t->funds_short = true;
        wait_for_head(t, s);
        break;
    case L1_SEND_FULL:
        wait_for_head(t, s);
        break;
    case L1_SEND_BUG:
        s->refused = true;
        break;
    case L1_SEND_CHECK: /* the receipts of the next head tell which of ours it is */
    case L1_SEND_NET:   /* it may have arrived: the same bytes again, later */
    case L1_SEND_CLASSES:
        break;
    }
}
