/* Nonces of all posters' accounts at one head: whether another's transaction can still land is seen
 * from its account alone. */
#include "sequencer/node/l1_post_parts.h"

void post_nonce_learn(struct l1_post *p, uint8_t member, const struct address *account)
{
    struct nonce_of *n = &p->nonce[member];
    if (!n->has || !address_equal(&n->account, account)) {
        *n = (struct nonce_of){.post = p, .has = true, .account = *account};
    }
}

static void one_answered(struct l1_post *p)
{
    if (--p->nonces_waiting == 0) {
        post_round(p);
    }
}

static void on_account(void *arg, enum err e, const struct l1_account *a)
{
    struct nonce_of *n = arg;
    n->is.known = e == OK;
    n->is.nonce = e == OK ? a->nonce : 0;
    one_answered(n->post);
}

/* What is not asked is not known, as if nobody had answered. */
static void ask_all(struct l1_post *p, const struct l1_ref *head)
{
    const struct l1 *l1 = &p->s.l1;
    p->nonce_at = *head;
    for (uint32_t i = 0; i < p->s.node->epoch->n; i++) {
        struct nonce_of *n = &p->nonce[i];
        n->is.known = false;
        if (n->has && l1->ops->account(l1->ctx, head, &n->account, on_account, n) == OK) {
            p->nonces_waiting++;
        }
    }
}

bool post_nonces_at(struct l1_post *p, const struct l1_ref *head)
{
    if (p->nonces_waiting == 0 && !hash_equal(&p->nonce_at.hash, &head->hash)) {
        ask_all(p, head);
    }
    return p->nonces_waiting == 0;
}
