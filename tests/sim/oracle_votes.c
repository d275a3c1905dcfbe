/* The histories of honest keys: rules N, S and F seen from outside (CONSENSUS 4), what may still
 * be certified, and that nothing leaves before it is durable. */
#include "tests/sim/oracle.h"

uint64_t oracle_tag(uint8_t kind, const struct hash *block)
{
    return kind == VOTE_SKIP ? 1 : load_be64(block->b) | 1;
}

uint32_t oracle_quorum(const struct sim *s)
{
    return (plan_total(s->plan) + plan_spare(s->plan)) / 2 + 1;
}

uint64_t oracle_first(const struct sim *s, uint64_t slot)
{
    return (slot - 1) / s->plan->turn_slots * s->plan->turn_slots + 1;
}

/* ---- what could be certified --------------------------------------------------------------------
 */

static uint32_t weight_of(const struct sim *s, int kind, uint64_t slot, uint64_t tag)
{
    uint32_t weight = 0;
    for (uint32_t i = 0; i < s->plan->n; i++) {
        bool with = oracle_liar(s, (int)i) || s->oracle->tag[kind][i][slot] == tag;
        weight += with ? s->plan->weight[i] : 0;
    }
    return weight;
}

bool oracle_notarizable(const struct sim *s, uint64_t slot, uint64_t tag)
{
    return weight_of(s, ORACLE_NOTARIZE, slot, tag) >= oracle_quorum(s);
}

bool oracle_skippable(const struct sim *s, uint64_t slot)
{
    return weight_of(s, ORACLE_SKIP, slot, 1) >= oracle_quorum(s);
}

bool oracle_finalizable(const struct sim *s, uint64_t slot)
{
    for (uint32_t i = 0; i < s->plan->n; i++) {
        uint64_t tag = s->oracle->tag[ORACLE_FINALIZE][i][slot];
        if (tag != 0 && !oracle_liar(s, (int)i) &&
            weight_of(s, ORACLE_FINALIZE, slot, tag) >= oracle_quorum(s)) {
            return true;
        }
    }
    return false;
}

/* One notarizable block a slot. */
static void one_block(struct sim *s, const struct vote *v, uint64_t tag)
{
    if (!oracle_notarizable(s, v->slot, tag)) {
        return;
    }
    for (uint32_t i = 0; i < s->plan->n; i++) {
        uint64_t other = s->oracle->tag[ORACLE_NOTARIZE][i][v->slot];
        if (other != 0 && other != tag && !oracle_liar(s, (int)i) &&
            oracle_notarizable(s, v->slot, other)) {
            sim_fail(s, SIM_SAFETY, "two blocks can be notarized at slot %llu",
                     (unsigned long long)v->slot);
        }
    }
}

/* No slot finalizable with a skippable one at or before it in its turn. */
static void no_both(struct sim *s, const struct vote *v)
{
    uint64_t first = oracle_first(s, v->slot);
    uint64_t last = first + s->plan->turn_slots - 1;
    if (v->kind == VOTE_SKIP ? !oracle_skippable(s, v->slot) : !oracle_finalizable(s, v->slot)) {
        return;
    }
    for (uint64_t u = first; u <= last; u++) {
        bool skip = v->kind == VOTE_FINALIZE;
        bool clash = skip ? u <= v->slot && oracle_skippable(s, u)
                          : u >= v->slot && oracle_finalizable(s, u);
        if (clash) {
            sim_fail(s, SIM_SAFETY, "slot %llu can be finalized, slot %llu skipped",
                     (unsigned long long)(skip ? v->slot : u),
                     (unsigned long long)(skip ? u : v->slot));
        }
    }
}

/* ---- one vote ---------------------------------------------------------------------------------
 */

void oracle_written(struct sim *s, struct node *n, const struct vote *vote, uint32_t votes,
                    const int *reason)
{
    struct oracle *o = s->oracle;
    for (uint32_t i = 0; i < votes && s->end == SIM_PASS; i++) {
        const struct vote *v = &vote[i];
        if (!oracle_slot(s, v->slot)) {
            return;
        }
        static const char *const names[] = {"notarizes", "skips", "finalizes"};
        sim_tell(s, "%d%s: %s %llu%s%s", n->member, n->index >= (int)s->plan->n ? "'" : "",
                 names[v->kind - 1], (unsigned long long)v->slot, v->kind == VOTE_SKIP ? ": " : "",
                 v->kind == VOTE_SKIP ? skip_reason_name(reason[i]) : "");
        s->account->votes++;
        if (v->kind == VOTE_SKIP && reason[i] >= 0 && reason[i] < SKIP_REASONS) {
            s->account->reasons[reason[i]]++;
        }
        if (sim_lies(s, n->member)) {
            continue;
        }
        uint64_t tag = oracle_tag(v->kind, &v->block);
        if (!oracle_liar(s, n->member)) {
            oracle_rules(s, n, v);
        }
        o->tag[v->kind - 1][n->member][v->slot] = tag;
        if (v->kind == VOTE_NOTARIZE) {
            one_block(s, v, tag);
        } else {
            no_both(s, v);
        }
    }
}

void oracle_forget(struct sim *s, struct node *n, const struct vote *v)
{
    if (!sim_lies(s, n->member)) {
        s->oracle->tag[v->kind - 1][n->member][v->slot] = 0;
    }
}

void oracle_durable(struct sim *s, struct node *n, const struct vote *v, bool durable)
{
    uint8_t bit = (uint8_t)(1u << n->member);
    uint8_t *mask = &s->oracle->durable[v->kind - 1][v->slot];
    *mask = durable ? *mask | bit : *mask & (uint8_t)~bit;
}

/* ---- what leaves ------------------------------------------------------------------------------
 */

static bool is_durable(const struct sim *s, const struct node *n, int kind, uint64_t slot)
{
    return slot < SIM_SLOTS && (s->oracle->durable[kind][slot] >> n->member & 1) != 0;
}

/* Bodies and heads of a block and of its ancestors above the durable final head are durable. */
static void bodies_durable(struct sim *s, struct node *n, const struct vote *v)
{
    uint64_t floor = 0;
    for (uint32_t i = 0; i < HEAD_LOG && i < n->disk.heads; i++) {
        const struct disk_head *h = &n->disk.head[(n->disk.heads - 1 - i) % HEAD_LOG];
        if (h->gate <= n->disk.journal) {
            floor = h->slot;
            break;
        }
    }
    uint32_t b = world_find(s, &v->block);
    for (; b != NO_BLOCK && s->block[b].head.header.slot > floor; b = world_parent(s, b)) {
        uint8_t wanted = world_empty(&s->block[b]) ? HOLDS_HEAD : HOLDS_HEAD | HOLDS_BODY;
        if ((n->holds[b] & wanted) != wanted || n->body_gate[b] > n->disk.journal) {
            sim_fail(s, SIM_SAFETY,
                     "member %d: finalize of slot %llu leaves, slot %llu is not durable", n->member,
                     (unsigned long long)v->slot, (unsigned long long)s->block[b].head.header.slot);
            return;
        }
    }
}

static void own_votes(struct sim *s, struct node *n, const struct bundle *b)
{
    for (uint32_t i = 0; i < b->votes; i++) {
        const struct vote *v = &b->vote[i];
        uint64_t tag = oracle_tag(v->kind, &v->block);
        if (!is_durable(s, n, v->kind - 1, v->slot) ||
            s->oracle->tag[v->kind - 1][n->member][v->slot] != tag) {
            sim_fail(s, SIM_SAFETY, "member %d sends a vote at slot %llu that is not durable",
                     n->member, (unsigned long long)v->slot);
        } else if (v->kind == VOTE_FINALIZE && b->certs == 0 && b->heads == 0) {
            bodies_durable(s, n, v);
        }
    }
}

static void own_in_certificates(struct sim *s, struct node *n, const struct bundle *b)
{
    for (uint32_t i = 0; i < b->certs; i++) {
        const struct certificate *c = &b->cert[i];
        bool forgot = (s->forgot >> n->member & 1) != 0;
        if ((c->signers >> n->member & 1) != 0 && !forgot &&
            !is_durable(s, n, c->kind - 1, c->slot)) {
            sim_fail(s, SIM_SAFETY,
                     "member %d shows a certificate of slot %llu with an own vote that is not "
                     "durable",
                     n->member, (unsigned long long)c->slot);
        }
    }
}

void oracle_leaves(struct sim *s, struct node *n, const struct message *m)
{
    const struct bundle *b = m->kind == MSG_PROPOSAL ? &m->u.proposal.justification
                             : m->kind == MSG_BUNDLE || m->kind == MSG_VOTES ? &m->u.bundle
                                                                             : NULL;
    if (b == NULL || oracle_liar(s, n->member)) {
        return;
    }
    own_votes(s, n, b);
    own_in_certificates(s, n, b);
}
