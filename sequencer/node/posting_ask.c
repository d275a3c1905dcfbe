#define _GNU_SOURCE
/* A block that was synced may have no certificate of its own, nor one near it: this disk got the one
 * that proved the whole range. Some member has a nearer one; whoever is asked for that block alone
 * sends it. What comes is proved where it is used (posting_make.c). */
#include "sequencer/node/parts.h"

enum { ASK_AGAIN_US = 1000000 };

static int next_member(const struct node *n)
{
    for (uint32_t k = 1; k <= n->epoch.n; k++) {
        int i = (int)(((uint32_t)n->poster.proof.member + k) % n->epoch.n);
        if (i != n->self && net_up(n, i)) {
            return i;
        }
    }
    return -1;
}

void posting_ask_proof(struct node *n, uint64_t slot)
{
    struct poster *p = &n->poster;
    uint64_t now = driver_now();
    bool waits = p->proof.slot == slot && now - p->proof.at_us < ASK_AGAIN_US;
    p->proof.slot = slot;
    if (slot == 0 || waits) {
        return;
    }
    p->proof.at_us = now;
    int member = next_member(n);
    if (member < 0) {
        return;
    }
    p->proof.member = member;
    struct message m = {.kind = MSG_RANGE};
    m.u.range.epoch = n->epoch.epoch;
    m.u.range.above_slot = slot - 1;
    m.u.range.max_blocks = 1;
    net_send(n, member, &m);
}

void posting_hear_proof(struct node *n, int member, const struct message *m)
{
    struct poster *p = &n->poster;
    const struct bundle *proof = &m->u.blocks.proof;
    bool asked = p->proof.slot != 0 && member == p->proof.member;
    for (uint32_t i = 0; asked && i < proof->certs; i++) {
        if (proof->cert[i].slot >= p->proof.slot) {
            p->proof.cert = proof->cert[i];
            p->proof.here = true;
        }
    }
}
