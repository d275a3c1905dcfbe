/* The baton_ namespace: documents that the backend writes. */
#define _GNU_SOURCE
#include "sequencer/rpc/call.h"
#include "sequencer/rpc/params.h"

enum { SCHEDULE_DEFAULT = 16, SCHEDULE_MOST = 256, INCIDENTS_DEFAULT = 20 };

static void ask(struct call *c, enum rpc_document kind, const struct rpc_query *q)
{
    call_backend(c)->document(call_ctx(c), kind, q, call_answer, c);
}

void baton_status(struct call *c)
{
    const struct rpc_query q = {.text = ""};
    ask(c, RPC_DOC_STATUS, &q);
}

void baton_members(struct call *c)
{
    const struct rpc_query q = {.text = ""};
    ask(c, RPC_DOC_MEMBERS, &q);
}

void baton_schedule(struct call *c)
{
    struct rpc_query q = {.text = ""};
    if (!params_u64_or(c, 0, SCHEDULE_DEFAULT, &q.count)) {
        return;
    }
    q.count = q.count > SCHEDULE_MOST ? SCHEDULE_MOST : q.count;
    ask(c, RPC_DOC_SCHEDULE, &q);
}

void baton_incidents(struct call *c)
{
    struct rpc_query q = {.text = ""};
    if (params_u64_or(c, 0, UINT64_MAX, &q.from) &&
        params_u64_or(c, 1, INCIDENTS_DEFAULT, &q.count)) {
        ask(c, RPC_DOC_INCIDENTS, &q);
    }
}

void baton_get_certificate(struct call *c)
{
    struct rpc_query q = {.text = ""};
    struct block_ref ref;
    if (json_object_is_type(params_at(c, 0), json_type_int)) {
        if (params_u64(c, 0, &q.from)) {
            ask(c, RPC_DOC_CERTIFICATE, &q);
        }
        return;
    }
    if (!params_block(c, 0, &ref)) {
        return;
    }
    q.by_hash = ref.kind == REF_HASH;
    q.hash = ref.hash;
    q.from = ref.number;
    if (ref.kind == REF_TAG) {
        enum rpc_tag tag = ref.tag == RPC_PENDING ? RPC_LATEST : ref.tag;
        enum err e = call_backend(c)->head(call_ctx(c), tag, &q.from, NULL);
        if (e != OK) {
            call_read_error(c, e, params_block_name(&ref));
            return;
        }
    }
    ask(c, RPC_DOC_CERTIFICATE, &q);
}

void baton_get_receipt_proof(struct call *c)
{
    struct rpc_query q = {.by_hash = true, .text = ""};
    if (params_hash(c, 0, &q.hash)) {
        ask(c, RPC_DOC_RECEIPT_PROOF, &q);
    }
}

void baton_get_epoch(struct call *c)
{
    struct rpc_query q = {.text = ""};
    if (params_u64(c, 0, &q.from)) {
        ask(c, RPC_DOC_EPOCH, &q);
    }
}
