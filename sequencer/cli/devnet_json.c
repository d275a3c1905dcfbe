#define _GNU_SOURCE
#include <stdio.h>

#include "sequencer/cli/devnet.h"
#include "sequencer/cli/doc.h"

static struct json_object *event(const char *name)
{
    struct json_object *o = json_object_new_object();
    doc_put_text(o, "event", name);
    return o;
}

static void print(struct json_object *o)
{
    doc_print_line(o);
    json_object_put(o);
}

/* Milliseconds with one decimal. */
static struct json_object *milliseconds(double ms)
{
    char text[32];
    snprintf(text, sizeof text, "%.1f", ms);
    return json_object_new_double_s(ms, text);
}

static struct json_object *describe_node(const struct devnet_node *node)
{
    struct json_object *o = json_object_new_object();
    doc_put_u64(o, "index", node->index);
    doc_put_text(o, "name", node->member->name);
    doc_put_address(o, "address", &node->member->address);
    doc_put_text(o, "rpc", node->rpc);
    doc_put_text(o, "ws", node->ws);
    doc_put_text(o, "admin", node->admin);
    doc_put_text(o, "p2p", node->p2p);
    doc_put_u64(o, "pid", (uint64_t)node->pid);
    doc_put_text(o, "dir", node->dir);
    doc_put_text(o, "log", node->log);
    doc_put(o, "el", devnet_el_doc(&node->el));
    return o;
}

static struct json_object *describe_account(const struct devnet *d, uint32_t i)
{
    struct json_object *o = json_object_new_object();
    char balance[U256_DEC_SIZE];
    char key[HEX_SIZE(32)];
    struct u256 zero = {{0}};
    const struct u256 *wei = &zero;
    for (uint32_t k = 0; k < d->genesis.allocs; k++) {
        if (address_equal(&d->genesis.alloc[k].address, &d->account[i].address)) {
            wei = &d->genesis.alloc[k].balance;
        }
    }
    u256_to_dec(balance, wei);
    hex_encode(key, d->account[i].key.b, 32);
    doc_put_address(o, "address", &d->account[i].address);
    doc_put_text(o, "privateKey", key);
    doc_put_text(o, "balance", balance);
    return o;
}

void devnet_json_ready(const struct devnet *d)
{
    struct json_object *o = event("ready");
    struct json_object *nodes = json_object_new_array();
    struct json_object *accounts = json_object_new_array();
    for (uint32_t i = 0; i < d->n; i++) {
        json_object_array_add(nodes, describe_node(&d->node[i]));
    }
    for (uint32_t i = 0; i < DEVNET_ACCOUNTS; i++) {
        json_object_array_add(accounts, describe_account(d, i));
    }
    doc_put_text(o, "dir", d->dir);
    doc_put_u64(o, "chainId", d->genesis.chain_id);
    doc_put(o, "nodes", nodes);
    doc_put(o, "l1", devnet_l1_doc(d));
    doc_put(o, "accounts", accounts);
    doc_put_u64(o, "startMs", (uv_hrtime() / 1000 - d->started_us) / 1000);
    print(o);
}

void devnet_json_block(const struct devnet *d, const struct head *h, double gap_ms)
{
    struct json_object *o = event("block");
    doc_put_u64(o, "number", h->number);
    doc_put_hash(o, "hash", &h->hash);
    doc_put(o, "leader", d->leader >= 0 ? json_object_new_int(d->leader) : NULL);
    doc_put_u64(o, "timestampMs", h->timestamp_ms);
    doc_put(o, "seenBy", json_object_new_int(h->node));
    doc_put(o, "gapMs", milliseconds(gap_ms));
    print(o);
}

void devnet_json_leader(const struct devnet *d, const struct head *h)
{
    struct json_object *o = event("leader");
    doc_put(o, "index", d->leader >= 0 ? json_object_new_int(d->leader) : NULL);
    if (d->leader >= 0) {
        doc_put_address(o, "address", &d->node[d->leader].member->address);
    }
    doc_put_u64(o, "number", h->number);
    print(o);
}

void devnet_json_takeover(const struct devnet *d, const struct devnet_takeover *t)
{
    struct json_object *o = event("takeover");
    doc_put(o, "gapMs", milliseconds(t->gap_ms));
    doc_put_text(o, "reason", t->reason);
    doc_put(o, "from", json_object_new_int(t->from));
    doc_put(o, "to", json_object_new_int(t->to));
    doc_put_u64(o, "turn", t->turn);
    doc_put_u64(o, "number", d->gap.head);
    print(o);
}

void devnet_json_l1(const struct devnet *d, const char *state)
{
    struct json_object *o = event("l1");
    doc_put(o, "pid", d->l1.pid != 0 ? json_object_new_int(d->l1.pid) : NULL);
    doc_put_text(o, "state", state);
    doc_put(o, "code", d->l1.pid != 0 ? NULL : json_object_new_int(d->l1.code));
    print(o);
}

void devnet_json_el(const struct devnet_el *el)
{
    struct json_object *o = event("el");
    doc_put_u64(o, "index", el->node->index);
    doc_put_text(o, "kind", devnet_el_name(el->kind));
    doc_put(o, "pid", el->pid != 0 ? json_object_new_int(el->pid) : NULL);
    doc_put_text(o, "state", devnet_el_state(el));
    doc_put(o, "code", el->pid != 0 ? NULL : json_object_new_int(el->code));
    print(o);
}

void devnet_json_node(const struct devnet_node *node, const char *state)
{
    struct json_object *o = event("node");
    bool down = node->state == DEVNET_DOWN;
    doc_put_u64(o, "index", node->index);
    doc_put_u64(o, "pid", (uint64_t)node->pid);
    doc_put_text(o, "state", state);
    doc_put(o, "code", down ? json_object_new_int(node->code) : NULL);
    print(o);
}
