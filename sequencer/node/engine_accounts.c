#define _GNU_SOURCE
/* Nonces and balances as the own execution client has them at `latest`; engine_link.h. */
#include <stdlib.h>

#include "sequencer/node/parts.h"

enum { KNOWN_MOST = 65536, OLD_BLOCKS = 8 };

struct account_known {
    struct address address;
    UT_hash_handle hh;
    uint64_t nonce;
    struct u256 balance;
    uint64_t number; /* read at this block */
    bool read, wanted, asked;
};

static struct account_known *find(const struct engine_link *l, const struct address *a)
{
    struct account_known *k = NULL;
    HASH_FIND(hh, l->account, a, sizeof *a, k);
    return k;
}

/* The oldest gives way: whoever needs it again reads it again. */
static void make_room(struct engine_link *l)
{
    struct account_known *k = l->account;
    if (HASH_COUNT(l->account) < KNOWN_MOST || k->asked) {
        return;
    }
    l->wanted -= k->wanted ? 1 : 0;
    HASH_DEL(l->account, k);
    free(k);
}

static struct account_known *get(struct engine_link *l, const struct address *a)
{
    struct account_known *k = find(l, a);
    if (k != NULL) {
        return k;
    }
    make_room(l);
    k = calloc(1, sizeof *k);
    if (k != NULL) {
        k->address = *a;
        memset(&k->balance, 0xff, sizeof k->balance);
        HASH_ADD(hh, l->account, address, sizeof k->address, k);
    }
    return k;
}

static void want(struct engine_link *l, struct account_known *k)
{
    if (k != NULL && !k->wanted) {
        k->wanted = true;
        l->wanted++;
    }
}

void accounts_want(struct node *n, const struct address *a)
{
    if (n->link.engine != NULL) {
        want(&n->link, get(&n->link, a));
    }
}

void accounts_get(struct node *n, const struct address *a, uint64_t *nonce, struct u256 *balance)
{
    struct account_known *k = get(&n->link, a);
    if (k == NULL) {
        memset(balance, 0xff, sizeof *balance);
        *nonce = 0;
        return;
    }
    *nonce = k->nonce;
    *balance = k->balance;
    if (!k->read || k->number + OLD_BLOCKS < n->finality.latest_number) {
        want(&n->link, k);
    }
}

/* ---- transactions that wait for their sender -------------------------------------------------- */

void accounts_open(struct node *n)
{
    n->link.parked_end = &n->link.parked;
}

bool accounts_park(struct node *n, struct intake_tx *t)
{
    struct engine_link *l = &n->link;
    if (l->engine == NULL || t->error != TX_OK) {
        return false;
    }
    struct account_known *k = get(l, &t->sender);
    if (k == NULL || (k->read && k->number == n->finality.latest_number && l->level)) {
        return false;
    }
    want(l, k);
    t->next = NULL;
    *l->parked_end = t;
    l->parked_end = &t->next;
    n->intake.working++;
    accounts_pump(n);
    return true;
}

/* Those whose sender was in the answer, or all where there is none. */
static void unpark(struct node *n, bool all)
{
    struct engine_link *l = &n->link;
    struct intake_tx *t = l->parked;
    l->parked = NULL;
    l->parked_end = &l->parked;
    while (t != NULL) {
        struct intake_tx *next = t->next;
        const struct account_known *k = find(l, &t->sender);
        t->next = NULL;
        if (all || (k != NULL && k->asked)) {
            n->intake.working--;
            intake_go_on(n, t, !all);
        } else {
            *l->parked_end = t;
            l->parked_end = &t->next;
        }
        t = next;
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

static void take(struct engine_link *l, const struct engine_accounts *a)
{
    for (uint32_t i = 0; i < a->n; i++) {
        struct account_known *k = find(l, &a->account[i].address);
        if (k != NULL) {
            k->nonce = a->account[i].nonce;
            k->balance = a->account[i].balance;
            k->number = a->number;
            k->read = true;
        }
    }
}

static void asked_no_more(struct engine_link *l, const struct engine_accounts *a)
{
    for (uint32_t i = 0; i < a->n; i++) {
        struct account_known *k = find(l, &a->account[i].address);
        if (k != NULL) {
            k->asked = false;
        }
    }
}

static void on_read(void *arg, const struct engine_accounts *a)
{
    struct node *n = arg;
    struct engine_link *l = &n->link;
    l->asking = false;
    if (n->driver.closed) {
        return;
    }
    if (a->err == OK) {
        take(l, a);
    } else {
        log_write(LOG_WARN, "execution", "accounts cannot be read from the execution client; el-rpc?",
                  LOG_STR("error", err_text(a->err)), NULL);
    }
    unpark(n, a->err != OK);
    asked_no_more(l, a);
    accounts_pump(n);
}

void accounts_pump(struct node *n)
{
    struct engine_link *l = &n->link;
    struct address list[ENGINE_ACCOUNTS] = {0};
    uint32_t count = 0;
    if (l->engine == NULL || l->asking || l->wanted == 0) {
        return;
    }
    if (!l->level) {
        unpark(n, true);
        return;
    }
    for (struct account_known *k = l->account; k != NULL && count < ENGINE_ACCOUNTS;
         k = k->hh.next) {
        if (k->wanted) {
            k->wanted = false;
            k->asked = true;
            l->wanted--;
            list[count++] = k->address;
        }
    }
    uint64_t at = n->finality.latest_number;
    l->asking = engine_read_accounts(l->engine, at, list, count, on_read, n) == OK;
    for (uint32_t i = 0; i < count && !l->asking; i++) {
        struct account_known *k = find(l, &list[i]);
        k->asked = false; /* asked for with the next turn */
        want(l, k);
    }
}

void accounts_close(struct node *n)
{
    struct engine_link *l = &n->link;
    unpark(n, true);
    struct account_known *k, *tmp;
    HASH_ITER(hh, l->account, k, tmp)
    {
        HASH_DEL(l->account, k);
        free(k);
    }
}
