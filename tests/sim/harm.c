/* Faults begin and end. Episodes of one kind may overlap: each is counted. */
#include "tests/sim/sim.h"

static void down(struct sim *s, struct node *n, enum disk_loss loss)
{
    node_crash(s, n, loss);
    n->downs++;
}

/* With its next write, if that comes before the end. */
static void doom(struct node *n)
{
    n->downs++;
    n->disk.doomed = n->up;
}

static void up_again(struct sim *s, struct node *n)
{
    n->disk.doomed = false;
    if (n->downs > 0 && --n->downs > 0) {
        return;
    }
    if (!n->up) {
        node_boot(s, n);
    }
}

static void everybody(struct sim *s, bool begin)
{
    for (uint32_t i = 0; i < s->nodes; i++) {
        struct node *n = &s->node[i];
        if (!n->puppet && begin) {
            down(s, n, LOSE_UNSYNCED);
        } else if (!n->puppet) {
            up_again(s, n);
        }
    }
}

static void split(struct sim *s, const struct harm *h, bool begin)
{
    for (int i = 0; i < (int)s->plan->n; i++) {
        for (int j = 0; j < i; j++) {
            bool bridge = h->kind == HARM_BRIDGE && (i == (int)h->a || j == (int)h->a);
            if (!bridge && (h->value >> i & 1) != (h->value >> j & 1)) {
                links_cut(s, i, j, begin, true);
            }
        }
    }
}

static void isolate(struct sim *s, int a, bool begin)
{
    for (int i = 0; i < (int)s->plan->n; i++) {
        if (i != a) {
            links_cut(s, i, a, begin, true);
        }
    }
}

static void deafen(struct sim *s, const struct harm *h, bool begin)
{
    static const uint32_t kinds[] = {
        1u << MSG_VOTES, 1u << MSG_PROPOSAL | 1u << MSG_BLOCK, 1u << MSG_BUNDLE, 1u << MSG_BODY,
        1u << MSG_VOTES | 1u << MSG_BUNDLE | 1u << MSG_STATUS | 1u << MSG_PROPOSAL};
    for (uint32_t i = 0; i < s->nodes; i++) {
        bool hears = (h->value >> s->node[i].member & 1) != 0;
        s->link[h->a][i].deaf_kinds = begin && hears ? kinds[(h->value + h->b) % 5] : 0;
    }
}

static void delay(struct sim *s, const struct harm *h, bool begin)
{
    for (uint32_t i = 0; i < s->nodes; i++) {
        s->link[h->a][i].extra_us = s->link[i][h->a].extra_us = begin ? h->value : 0;
    }
}

static void pause(struct sim *s, struct node *n, bool begin)
{
    if (begin) {
        n->pauses++;
    } else if (n->pauses > 0 && --n->pauses == 0) {
        node_resume(s, n);
    }
}

static void new_disk(struct sim *s, struct node *n, bool begin)
{
    if (!begin) {
        up_again(s, n);
        return;
    }
    s->forgot |= 1u << n->member;
    down(s, n, LOSE_UNSYNCED);
    disk_blank(s, n);
}

/* While the machine stands still: nobody looks, until the node starts again. */
static void flip(struct sim *s, struct node *n, uint64_t where, bool begin)
{
    if (!begin) {
        up_again(s, n);
        return;
    }
    s->forgot |= 1u << n->member;
    down(s, n, LOSE_UNSYNCED);
    disk_flip(s, n, where);
}

static void stale_copy(struct sim *s, struct node *n, bool begin)
{
    if (begin) {
        disk_copy(s, n);
        return;
    }
    if (n->disk.copy != NULL) {
        s->forgiven |= 1u << n->member;
        node_crash(s, n, LOSE_UNSYNCED);
        disk_restore_copy(s, n);
        if (n->downs == 0) {
            node_boot(s, n);
        }
    }
}

static void count(uint32_t *episodes, bool begin)
{
    *episodes += begin ? 1u : *episodes > 0 ? UINT32_MAX : 0;
}

static void crash_at(struct sim *s, struct node *n, const struct harm *h, bool begin)
{
    if (begin) {
        n->crash_after = n->up ? h->value : 0;
    } else if (n->up) {
        n->crash_after = 0;
    } else if (n->downs == 0) {
        node_boot(s, n);
    }
}

static void starve(struct sim *s, struct node *n)
{
    struct event ev = {.kind = EVENT_STARVING, .peer = -1};
    if (n->core != NULL && n->pauses == 0) {
        ev.u.starving_turn = (n->cur - 1) / s->plan->turn_slots;
        node_step(s, n, &ev);
    }
}

static void of_links(struct sim *s, const struct harm *h, bool begin)
{
    switch ((int)h->kind) {
    case HARM_CUT:
    case HARM_ONE_WAY:
        links_cut(s, (int)h->a, (int)h->b, begin, h->kind == HARM_CUT);
        break;
    case HARM_SPLIT:
    case HARM_BRIDGE:
        split(s, h, begin);
        break;
    case HARM_ISOLATE:
        isolate(s, (int)h->a, begin);
        break;
    case HARM_DEAF:
        deafen(s, h, begin);
        break;
    case HARM_DELAY:
        delay(s, h, begin);
        break;
    case HARM_JITTER:
        s->jitter_us = begin ? h->value : 0;
        break;
    case HARM_LOSS:
        s->loss = begin ? (uint32_t)h->value : 0;
        break;
    case HARM_TWICE:
        s->twice = begin ? (uint32_t)h->value : 0;
        break;
    case HARM_RESET:
        if (begin) {
            links_break(s, &s->node[h->a], &s->node[h->b]);
        }
        break;
    default:
        break;
    }
}

static void of_process(struct sim *s, const struct harm *h, bool begin)
{
    struct node *n = &s->node[h->a];
    switch ((int)h->kind) {
    case HARM_KILL:
    case HARM_POWER:
        if (begin) {
            down(s, n, h->kind == HARM_KILL ? LOSE_LITTLE : LOSE_UNSYNCED);
        } else {
            up_again(s, n);
        }
        break;
    case HARM_TORN:
        if (begin) {
            doom(n);
        } else {
            up_again(s, n);
        }
        break;
    case HARM_BLACKOUT:
        everybody(s, begin);
        break;
    case HARM_CRASH_AT:
        crash_at(s, n, h, begin);
        break;
    case HARM_PAUSE:
        pause(s, n, begin);
        break;
    case HARM_STARVE:
        if (begin) {
            starve(s, n);
        }
        break;
    case HARM_LEAVE:
        count(&n->leaves, begin);
        break;
    case HARM_DRAIN:
        count(&n->drains, begin);
        break;
    default:
        break;
    }
}

static void of_machine(struct sim *s, const struct harm *h, bool begin)
{
    struct node *n = &s->node[h->a];
    switch ((int)h->kind) {
    case HARM_SLOW_DISK:
        n->disk.sync_us = begin ? h->value : s->plan->sync_us;
        break;
    case HARM_DISK_FAILS:
    case HARM_SYNC_FAILS:
        disk_fails(s, n, begin, h->kind == HARM_SYNC_FAILS);
        break;
    case HARM_STALE_COPY:
        stale_copy(s, n, begin);
        break;
    case HARM_FLIP:
        flip(s, n, h->value, begin);
        break;
    case HARM_NEW_DISK:
        new_disk(s, n, begin);
        break;
    case HARM_SLOW_CLIENT:
        n->slow_client_us = begin ? h->value : 0;
        break;
    case HARM_HANG:
        client_hang(s, n, begin);
        break;
    case HARM_ERRS:
        count(&n->errors, begin);
        break;
    case HARM_DISAGREES:
        count(&n->disagreements, begin);
        s->disagreed |= 1u << n->member;
        break;
    case HARM_CLOCK_JUMP:
        n->wall_off_ms = begin ? h->value - ((uint64_t)1 << 32) : 0;
        break;
    case HARM_DRIFT:
        clock_drift(s, n, begin ? (int64_t)h->value - (1 << 20) : 0);
        break;
    default:
        break;
    }
}

void harm_begin(struct sim *s, const struct harm *h)
{
    s->account->harms[h->kind]++;
    sim_tell(s, "-- %s %u %u %llu for %llu ms", harm_word(h->kind), h->a, h->b,
             (unsigned long long)h->value, (unsigned long long)h->length_us / 1000);
    of_links(s, h, true);
    of_process(s, h, true);
    of_machine(s, h, true);
}

void harm_end(struct sim *s, const struct harm *h)
{
    sim_tell(s, "-- end of %s %u", harm_word(h->kind), h->a);
    of_links(s, h, false);
    of_process(s, h, false);
    of_machine(s, h, false);
}
