#define _GNU_SOURCE
/* The account that segments are posted from: its key, its journal DIR/l1/journal, its transactions. */
#include <stdio.h>

#include "proto/key.h"
#include "proto/tx.h"
#include "sequencer/node/keyfile.h"
#include "sequencer/node/l1_post_parts.h"

static enum err sign_blob(struct l1_post *p, const struct txm_request *r, uint8_t *out, size_t cap,
                          size_t *n)
{
    struct buffer b;
    struct blob_tx tx = {.chain_id = r->chain_id, .nonce = r->nonce,
                         .max_priority_fee = r->fees.tip, .max_fee = r->fees.cap, .gas = r->gas,
                         .to = r->payload->to, .data = r->payload->data,
                         .max_blob_fee = r->fees.blob_cap, .blobs = r->payload->blobs};
    memcpy(tx.versioned, r->payload->versioned, sizeof tx.versioned);
    buffer_init(&b, cap);
    enum err e = blob_tx_sign(&b, &tx, p->key);
    e = e == OK ? b.bad : e;
    if (e == OK) {
        memcpy(out, b.p, b.n);
        *n = b.n;
    }
    buffer_free(&b);
    return e;
}

static enum err sign(void *ctx, const struct txm_request *r, uint8_t *out, size_t cap, size_t *n)
{
    struct l1_post *p = ctx;
    if (r->kind == TXM_BLOB) {
        return sign_blob(p, r, out, cap, n);
    }
    const struct tx_request tx = {.chain_id = r->chain_id, .nonce = r->nonce,
                                  .max_priority_fee = r->fees.tip, .max_fee = r->fees.cap,
                                  .gas = r->gas, .to = r->payload->to, .data = r->payload->data};
    return tx_sign(out, cap, n, &tx, p->key);
}

static enum err read_key(struct l1_post *p, char *why, size_t why_len)
{
    const struct config *c = p->s.node->config;
    p->key = key_alloc();
    if (p->key == NULL) {
        snprintf(why, why_len, "no locked memory for the poster's key; raise `ulimit -l`");
        return ERR_NO_MEMORY;
    }
    TRY(keyfile_read(p->key, &p->account, c->l1_key, c->l1_password, why, why_len));
    if (members_find(p->s.node->epoch, &p->account) >= 0) {
        snprintf(why, why_len, "l1-key: this is a member's key; give the poster a key of its own");
        return ERR_CONFIG;
    }
    return OK;
}

static enum err open_txm(struct l1_post *p, char *why, size_t why_len)
{
    char path[L1_DIR];
    struct bytes group;
    struct txm_config c = txm_config_default();
    c.chain_id = p->s.l1_chain_id;
    c.account = p->account;
    c.kind = p->blobs ? TXM_BLOB : TXM_CALLDATA;
    c.max_pending *= p->parts;
    c.most_pending *= p->parts;
    snprintf(path, sizeof path, "%s/l1/journal", p->s.node->config->dir);
    TRY(txm_file_open(&p->file, path, c.chain_id, &c.account, why, why_len));
    const struct txm_signer signer = {p, sign};
    const struct txm_journal journal = txm_file_journal(p->file);
    TRY(txm_new(&p->txm, &c, &signer, &journal));
    while (txm_file_next(p->file, &group)) {
        enum err e = txm_restore(p->txm, group);
        if (e != OK) {
            snprintf(why, why_len, "%s: %s; keep it for an inquiry and start with another account",
                     path, err_text(e));
            return e;
        }
    }
    txm_file_forget(p->file);
    return OK;
}

enum err post_account_open(struct l1_post *p, char *why, size_t why_len)
{
    TRY(read_key(p, why, why_len));
    TRY(open_txm(p, why, why_len));
    post_nonce_learn(p, (uint8_t)p->s.node->self, &p->account);
    return OK;
}

const char *post_account_trouble(const struct txm_status *s)
{
    static const struct {
        uint32_t alarm;
        const char *text;
    } alarms[] = {
        {TXM_ALARM_STOLEN, "the poster's key is used by somebody else: give it a new account"},
        {TXM_ALARM_FUNDS, "the poster's account has too little ether: send it some"},
        {TXM_ALARM_CEILING, "the L1 asks more than may be paid for one transaction"},
        {TXM_ALARM_KIND, "another kind of transaction of the poster's account is pending"},
        {TXM_ALARM_REFUSED, "the L1 endpoints refuse the transactions"},
        {TXM_ALARM_JOURNAL, "the journal in l1/ cannot be written"},
        {TXM_ALARM_DROPPED, "the L1 endpoints accept transactions and lose them"},
    };
    for (size_t i = 0; i < sizeof alarms / sizeof alarms[0]; i++) {
        if ((s->alarms & alarms[i].alarm) != 0) {
            return alarms[i].text;
        }
    }
    return "";
}
