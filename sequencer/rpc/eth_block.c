/* Blocks, transactions and receipts. */
#define _GNU_SOURCE
#include <time.h>

#include "sequencer/rpc/call.h"
#include "sequencer/rpc/params.h"
#include "sequencer/rpc/render.h"
#include "sequencer/rpc/view.h"

/* A block that does not exist is null; a tag without a block is an error, as in geth. */
static bool read_or_null(struct call *c, const struct block_ref *ref, struct rpc_block *out)
{
    enum err e = params_read_block(c, ref, out);
    if (e == OK) {
        return true;
    }
    bool tag = ref->kind == REF_TAG && (ref->tag == RPC_SAFE || ref->tag == RPC_FINALIZED);
    if (e == ERR_NOT_FOUND && !tag) {
        call_raw(c, "null");
    } else {
        call_read_error(c, e, params_block_name(ref));
    }
    return false;
}

static void pending_block(struct call *c)
{
    struct block_ref latest = {.kind = REF_TAG, .tag = RPC_LATEST};
    struct rpc_block parent;
    struct rpc_fees fees;
    if (!read_or_null(c, &latest, &parent)) {
        return;
    }
    call_backend(c)->fees(call_ctx(c), &fees);
    render_pending_block(call_result(c), &parent, &fees.base_fee, (uint64_t)time(NULL));
    call_done(c);
}

static void get_block(struct call *c, const struct block_ref *ref)
{
    bool full;
    struct rpc_block b;
    if (!params_bool_or(c, 1, false, &full)) {
        return;
    }
    if (ref->kind == REF_TAG && ref->tag == RPC_PENDING) {
        pending_block(c);
    } else if (read_or_null(c, ref, &b)) {
        view_answer(c, &b, full ? VIEW_BLOCK_FULL : VIEW_BLOCK, 0);
    }
}

static bool required_block(struct call *c, struct block_ref *ref)
{
    if (params_at(c, 0) == NULL) {
        call_error(c, CODE_PARAMS, "missing value for required argument 0");
        return false;
    }
    return params_block(c, 0, ref);
}

static bool required_hash(struct call *c, struct block_ref *ref)
{
    ref->kind = REF_HASH;
    return params_hash(c, 0, &ref->hash);
}

void eth_get_block_by_number(struct call *c)
{
    struct block_ref ref;
    if (required_block(c, &ref)) {
        get_block(c, &ref);
    }
}

void eth_get_block_by_hash(struct call *c)
{
    struct block_ref ref;
    if (required_hash(c, &ref)) {
        get_block(c, &ref);
    }
}

void eth_get_block_receipts(struct call *c)
{
    struct block_ref ref;
    struct rpc_block b;
    if (required_block(c, &ref) && read_or_null(c, &ref, &b)) {
        view_answer(c, &b, VIEW_RECEIPTS, 0);
    }
}

static void answer_count(struct call *c, const struct block_ref *ref)
{
    struct rpc_block b;
    if (ref->kind == REF_TAG && ref->tag == RPC_PENDING) {
        call_quantity(c, 0);
    } else if (read_or_null(c, ref, &b)) {
        call_quantity(c, b.txs);
    }
}

void eth_count_by_number(struct call *c)
{
    struct block_ref ref;
    if (required_block(c, &ref)) {
        answer_count(c, &ref);
    }
}

void eth_count_by_hash(struct call *c)
{
    struct block_ref ref;
    if (required_hash(c, &ref)) {
        answer_count(c, &ref);
    }
}

static void answer_at_index(struct call *c, const struct block_ref *ref)
{
    uint64_t index;
    struct rpc_block b;
    if (!params_u64(c, 1, &index) || !read_or_null(c, ref, &b)) {
        return;
    }
    if (index >= b.txs) {
        call_raw(c, "null");
        return;
    }
    view_answer(c, &b, VIEW_TX, (uint32_t)index);
}

void eth_tx_by_number(struct call *c)
{
    struct block_ref ref;
    if (required_block(c, &ref)) {
        answer_at_index(c, &ref);
    }
}

void eth_tx_by_hash(struct call *c)
{
    struct block_ref ref;
    if (required_hash(c, &ref)) {
        answer_at_index(c, &ref);
    }
}

static void answer_pending(struct call *c, const struct rpc_tx *found, enum view_kind kind)
{
    struct tx tx;
    if (kind == VIEW_RECEIPT || tx_decode(&tx, found->raw) != TX_OK) {
        call_raw(c, "null");
        return;
    }
    struct text *t = call_result(c);
    if (kind == VIEW_RAW_TX) {
        text_hex(t, found->raw.p, found->raw.n);
    } else {
        render_tx(t, &tx, &found->sender, NULL, 0);
    }
    call_done(c);
}

static void answer_tx(struct call *c, enum view_kind kind)
{
    struct hash hash;
    struct rpc_tx found;
    struct rpc_block b;
    if (!params_hash(c, 0, &hash)) {
        return;
    }
    enum err e = call_backend(c)->tx(call_ctx(c), &hash, &found);
    if (e == OK && found.state == RPC_TX_PENDING) {
        answer_pending(c, &found, kind);
        return;
    }
    if (e == OK) {
        e = call_backend(c)->block_by_number(call_ctx(c), found.number, &b);
    }
    if (e == ERR_NOT_FOUND) {
        call_raw(c, "null");
    } else if (e != OK) {
        call_read_error(c, e, "transaction");
    } else if (found.index >= b.txs) {
        call_error(c, CODE_INTERNAL, "%s", err_text(ERR_CORRUPT));
    } else {
        view_answer(c, &b, kind, found.index);
    }
}

void eth_get_transaction(struct call *c)
{
    answer_tx(c, VIEW_TX);
}

void eth_get_raw_transaction(struct call *c)
{
    answer_tx(c, VIEW_RAW_TX);
}

void eth_get_receipt(struct call *c)
{
    answer_tx(c, VIEW_RECEIPT);
}
