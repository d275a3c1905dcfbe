/* Which states are kept. */
#include "sequencer/execution/ledger_state.h"

/* Marks those from `first` on that stand neither at nor above the final head. */
static void mark_beside(const struct ledger *l, struct state *first)
{
    for (struct state *s = first; s != NULL; s = s->hh.next) {
        if (!s->final) {
            s->marked = s->parent->final ? s->parent != l->head : s->parent->marked;
        }
    }
}

static void forget_marked(struct ledger *l, struct state *first)
{
    struct state *next = NULL;
    for (struct state *s = first; s != NULL; s = next) {
        next = s->hh.next;
        if (s->marked) {
            ledger_forget(l, s);
        }
    }
}

static void make_final(struct ledger *l, struct state *s)
{
    s->final = true;
    s->built = false;
    s->parent = NULL;
    l->open--;
    l->history += s->trie.made;
}

/* From the head's child up to `s`; `first` is the first open one. */
static void make_path_final(struct ledger *l, struct state *first, struct state *s)
{
    for (struct state *on = s; !on->final; on = on->parent) {
        on->marked = true;
    }
    for (struct state *on = first; on != NULL; on = on->hh.next) {
        if (on->marked) {
            on->marked = false;
            make_final(l, on);
        }
    }
    l->head = s;
}

/* The oldest final state stands first in the table's order. What it alone holds is about what its
 * successor made anew. */
static void trim_history(struct ledger *l)
{
    uint32_t final = HASH_COUNT(l->states) - l->open;
    while (l->states != l->head &&
           (final > LIMIT_LEDGER_STATES + 1 || l->history > LIMIT_LEDGER_HISTORY_BYTES)) {
        ledger_forget(l, l->states);
        l->history -= l->states->trie.made;
        final--;
    }
}

enum err ledger_finalize(struct ledger *l, const struct hash *payload,
                         void (*changed)(void *arg, const struct ledger_account *a), void *arg)
{
    struct state *s = ledger_find(l, payload);
    if (s == NULL) {
        return ERR_NOT_FOUND;
    }
    if (s->final) {
        return OK;
    }
    if (changed != NULL) {
        trie_diff(&l->head->trie, &s->trie, changed, arg);
    }
    struct state *first = ledger_first_open(l);
    make_path_final(l, first, s);
    mark_beside(l, first);
    forget_marked(l, first);
    trim_history(l);
    return OK;
}

bool ledger_finalize_is_small(const struct ledger *l, const struct hash *payload, uint32_t txs)
{
    const struct state *s = ledger_find(l, payload);
    if (s == NULL || s->final) {
        return true; /* answered without work */
    }
    return s->parent == l->head && s->info.txs <= txs && l->states->info.txs <= txs &&
           HASH_COUNT(l->states) - l->open <= LIMIT_LEDGER_STATES + 1;
}
