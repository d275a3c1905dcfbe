#include "sequencer/execution/ledger_run.h"

#include <stdlib.h>

#include "proto/tx.h"

bool ledger_run_reserve(struct ledger *l, uint32_t n)
{
    if (l->txs_cap >= n) {
        return true;
    }
    struct bytes *raw = realloc(l->raw, n * sizeof *raw);
    if (raw == NULL) {
        return false;
    }
    l->raw = raw;
    struct receipt *receipt = realloc(l->receipt, n * sizeof *receipt);
    if (receipt == NULL) {
        return false;
    }
    l->receipt = receipt;
    struct receipt_leaf *leaf = realloc(l->receipt_leaf, n * sizeof *leaf);
    if (leaf == NULL) {
        return false;
    }
    memset(leaf + l->txs_cap, 0, (n - l->txs_cap) * sizeof *leaf);
    l->receipt_leaf = leaf;
    l->txs_cap = n;
    return true;
}

static const char *check_form(const struct run *r, const struct tx *tx)
{
    if (!tx->has_chain_id) {
        return "it is not replay-protected (EIP-155)";
    }
    if (tx->chain_id != r->l->chain_id) {
        return "it was signed for another chain";
    }
    if (tx->creates) {
        return "it creates a contract; the built-in ledger has transfers only";
    }
    if (u256_cmp(&tx->max_fee, &tx->max_priority_fee) < 0) {
        return "max priority fee per gas higher than max fee per gas";
    }
    return u256_cmp(&tx->max_fee, &r->base_fee) < 0 ? "max fee per gas less than block base fee"
                                                    : NULL;
}

static const char *check_gas(const struct run *r, const struct tx *tx, uint64_t intrinsic)
{
    if (tx->gas < intrinsic) {
        return "intrinsic gas too low";
    }
    return tx->gas > r->l->gas_limit - r->gas_used ? "gas limit reached" : NULL;
}

static const char *check_sender(const struct tx *tx, const struct ledger_account *from)
{
    struct u256 cost;
    if (tx->nonce < from->nonce) {
        return "nonce too low";
    }
    if (tx->nonce > from->nonce) {
        return "nonce too high";
    }
    if (tx->nonce == UINT64_MAX) {
        return "nonce has max value"; /* EIP-2681 */
    }
    bool overflow = u256_mul_u64(&cost, &tx->max_fee, tx->gas);
    overflow = u256_add(&cost, &cost, &tx->value) || overflow;
    return overflow || u256_cmp(&from->balance, &cost) < 0
               ? "insufficient funds for gas * price + value"
               : NULL;
}

/* Nothing overflows here: the sender has what is taken, and all balances together fit. */
static void transfer(struct run *r, const struct tx *tx, struct view_account *from, uint64_t gas)
{
    struct u256 tip;
    struct u256 fee;
    (void)u256_sub(&tip, &tx->max_fee, &r->base_fee);
    if (u256_cmp(&tx->max_priority_fee, &tip) < 0) {
        tip = tx->max_priority_fee;
    }
    (void)u256_add(&fee, &r->base_fee, &tip);
    (void)u256_mul_u64(&fee, &fee, gas);
    (void)u256_mul_u64(&tip, &tip, gas);
    from->account.nonce++;
    (void)u256_sub(&from->account.balance, &from->account.balance, &fee);
    (void)u256_sub(&from->account.balance, &from->account.balance, &tx->value);
    from->changed = true;
    if (!u256_is_zero(&tx->value)) {
        struct view_account *to = ledger_view_get(&r->l->view, &tx->to);
        (void)u256_add(&to->account.balance, &to->account.balance, &tx->value);
        to->changed = true;
    }
    if (!u256_is_zero(&tip)) {
        (void)u256_add(&r->recipient->account.balance, &r->recipient->account.balance, &tip);
        r->recipient->changed = true;
    }
}

const char *ledger_run_tx(struct run *r, const struct execution_tx *in)
{
    struct tx tx;
    enum tx_error bad = tx_read(&tx, in->raw);
    if (bad != TX_OK) {
        return tx_error_text(bad);
    }
    struct view_account *from = ledger_view_get(&r->l->view, &in->sender);
    uint64_t gas = tx_intrinsic_gas(&tx);
    const char *why = check_form(r, &tx);
    if (why == NULL) {
        why = check_gas(r, &tx, gas);
    }
    if (why == NULL) {
        why = check_sender(&tx, &from->account);
    }
    if (why != NULL) {
        return why;
    }
    transfer(r, &tx, from, gas);
    r->gas_used += gas;
    r->l->receipt[r->txs] = (struct receipt){.cumulative_gas = r->gas_used, .type = tx.type};
    r->l->raw[r->txs] = in->raw;
    r->txs++;
    return NULL;
}

static struct bytes receipt_key(const void *ctx, uint32_t i, uint8_t buffer[TRIE_KEY_BUFFER])
{
    const struct run *r = ctx;
    return trie_list_key(trie_list_index(r->txs, i), buffer);
}

static struct bytes receipt_value(const void *ctx, uint32_t i, uint8_t buffer[TRIE_VALUE_BUFFER])
{
    const struct run *r = ctx;
    const struct receipt *receipt = &r->l->receipt[trie_list_index(r->txs, i)];
    return bytes_of(buffer, payload_receipt_encode(buffer, receipt->type, receipt->cumulative_gas));
}

static struct hash *receipt_leaf(const void *ctx, uint32_t i, unsigned depth)
{
    const struct run *r = ctx;
    uint32_t index = trie_list_index(r->txs, i);
    const struct receipt *now = &r->l->receipt[index];
    struct receipt_leaf *leaf = &r->l->receipt_leaf[index];
    if (leaf->depth != depth || leaf->receipt.type != now->type ||
        leaf->receipt.cumulative_gas != now->cumulative_gas) {
        *leaf = (struct receipt_leaf){.receipt = *now, .depth = depth};
    }
    return &leaf->hash;
}

enum err ledger_run_open(struct run *r)
{
    if (!ledger_run_reserve(r->l, r->b->txs)) {
        return ERR_NO_MEMORY;
    }
    TRY(ledger_view_open(&r->l->view, &r->parent->trie, 2 * r->b->txs + 1));
    payload_next_base_fee(&r->base_fee, &r->parent->info);
    r->recipient = ledger_view_get(&r->l->view, &r->b->fee_recipient);
    return OK;
}

struct state *ledger_run_seal(struct run *r)
{
    struct state *s = ledger_state_create(r->parent);
    if (s == NULL) {
        return NULL;
    }
    if (ledger_view_commit(&r->l->view, &s->trie) != OK) {
        ledger_state_destroy(s);
        return NULL;
    }
    const struct trie_source receipts = {r, r->txs, receipt_key, receipt_value, receipt_leaf};
    s->parent = r->parent;
    s->info = (struct payload_info){
        .parent = r->parent->info.hash,
        .number = r->b->height,
        .timestamp = r->b->timestamp_ms / 1000,
        .timestamp_ms = r->b->timestamp_ms,
        .fee_recipient = r->b->fee_recipient,
        .state_root = trie_root(&s->trie),
        .transactions_root = trie_list_root(r->l->raw, r->txs),
        .receipts_root = trie_source_root(&receipts),
        .gas_limit = r->l->gas_limit,
        .gas_used = r->gas_used,
        .base_fee = r->base_fee,
        .txs = r->txs,
        .body_len = r->body_len,
    };
    s->info.hash = payload_hash(&s->info);
    return s;
}
