/* The built-in ledger's state on disk, and how a start winds it to the final head: stored accounts,
 * then the final blocks above them executed again, all before the first vote. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "proto/body.h"
#include "sequencer/node/parts.h"

enum { ACCOUNT_BYTES = 40 };

static const char head_key[] = "state-head";

/* ---- writing --------------------------------------------------------------------------------- */

/* Accounts and the head that they belong to, in one batch. */
static enum err write_state(struct node *n, const struct ledger_account *account, size_t count,
                            const struct payload_info *head)
{
    uint8_t info[PAYLOAD_INFO_MAX_BYTES];
    size_t info_len = payload_info_encode(info, head);
    struct storage_put *put = calloc(count + 1, sizeof *put);
    uint8_t *value = malloc(count * ACCOUNT_BYTES + 1);
    if (put == NULL || value == NULL) {
        free(put);
        free(value);
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t *at = value + i * ACCOUNT_BYTES;
        store_be64(at, account[i].nonce);
        u256_to_be(at + 8, &account[i].balance);
        put[i] = (struct storage_put){.table = TABLE_STATE,
                                      .key = bytes_of(account[i].address.b, 20),
                                      .value = bytes_of(at, ACCOUNT_BYTES)};
    }
    put[count] = (struct storage_put){.table = TABLE_MISC,
                                      .key = bytes_of(head_key, sizeof head_key - 1),
                                      .value = bytes_of(info, info_len)};
    enum err err = storage_submit_puts(n->storage, put, count + 1, false, 0);
    free(put);
    free(value);
    return err;
}

void ledger_persist(void *node, const struct ledger_account *changed, size_t count,
                    const struct payload_info *head)
{
    enum err err = write_state(node, changed, count, head);
    if (err != OK) {
        log_write(LOG_ERROR, "storage", "the ledger's state could not be handed to the disk",
                  LOG_STR("error", err_text(err)), NULL);
    }
}

void ledger_record_block(struct node *n, const struct payload_info *info, const struct hash *tx,
                         uint32_t txs)
{
    uint8_t encoded[PAYLOAD_INFO_MAX_BYTES];
    size_t len = payload_info_encode(encoded, info);
    struct storage_put *put = calloc((size_t)txs + 1, sizeof *put);
    uint8_t *place = malloc((size_t)txs * 12 + 1);
    if (put == NULL || place == NULL) {
        log_write(LOG_ERROR, "node", "out of memory: a block is missing in the index",
                  LOG_U64("number", info->number), NULL);
        free(put);
        free(place);
        return;
    }
    for (uint32_t i = 0; i < txs; i++) {
        store_be64(place + (size_t)i * 12, info->number);
        store_be32(place + (size_t)i * 12 + 8, i);
        put[i] = (struct storage_put){.table = TABLE_TX_INDEX,
                                      .key = bytes_of(tx[i].b, 32),
                                      .value = bytes_of(place + (size_t)i * 12, 12)};
    }
    put[txs] = (struct storage_put){.table = TABLE_RECEIPTS,
                                    .key = bytes_of(info->hash.b, 32),
                                    .value = bytes_of(encoded, len)};
    if (storage_submit_puts(n->storage, put, (size_t)txs + 1, false, 0) != OK) {
        log_write(LOG_ERROR, "storage", "a block is missing in the index",
                  LOG_U64("number", info->number), NULL);
    }
    pool_erase(n, tx, txs);
    free(put);
    free(place);
}

/* ---- reading --------------------------------------------------------------------------------- */

struct accounts {
    struct ledger_account *account;
    size_t n, cap, at;
    bool failed;
};

static bool read_account(void *arg, struct bytes key, struct bytes value)
{
    struct accounts *a = arg;
    if (key.n != 20 || value.n != ACCOUNT_BYTES) {
        a->failed = true;
        return false;
    }
    if (a->n == a->cap) {
        size_t cap = a->cap == 0 ? 1024 : a->cap * 2;
        struct ledger_account *bigger = realloc(a->account, cap * sizeof *bigger);
        if (bigger == NULL) {
            a->failed = true;
            return false;
        }
        a->account = bigger;
        a->cap = cap;
    }
    struct ledger_account *to = &a->account[a->n++];
    memcpy(to->address.b, key.p, 20);
    to->nonce = load_be64(value.p);
    to->balance = u256_from_be(value.p + 8, 32);
    return true;
}

static bool next_account(void *arg, struct ledger_account *out)
{
    struct accounts *a = arg;
    if (a->at == a->n) {
        return false;
    }
    *out = a->account[a->at++];
    return true;
}

static enum err from_disk(struct node *n, const struct payload_info *head)
{
    struct accounts a = {0};
    enum err err = storage_walk(n->storage, TABLE_STATE, bytes_of(NULL, 0), read_account, &a);
    if (err == OK && a.failed) {
        err = ERR_CORRUPT;
    }
    if (err == OK) {
        err = ledger_restore(&n->ledger_object, &n->genesis, head, next_account, &a);
    }
    free(a.account);
    return err;
}

static enum err from_genesis(struct node *n)
{
    TRY(ledger_create(&n->ledger_object, &n->genesis));
    struct payload_info head;
    ledger_head(n->ledger_object, &head);
    struct ledger_account *all = calloc((size_t)n->genesis.allocs + 1, sizeof *all);
    if (all == NULL) {
        return ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < n->genesis.allocs; i++) {
        all[i].address = n->genesis.alloc[i].address;
        all[i].balance = n->genesis.alloc[i].balance;
    }
    enum err err = write_state(n, all, n->genesis.allocs, &head);
    ledger_record_block(n, &head, NULL, 0);
    free(all);
    return err;
}

/* ---- the final blocks above the stored state ------------------------------------------------- */

struct changes {
    struct ledger_account *account;
    size_t n, cap;
    bool failed;
};

static void collect_change(void *arg, const struct ledger_account *a)
{
    struct changes *c = arg;
    if (c->n == c->cap) {
        size_t cap = c->cap == 0 ? 256 : c->cap * 2;
        struct ledger_account *bigger = realloc(c->account, cap * sizeof *bigger);
        if (bigger == NULL) {
            c->failed = true;
            return;
        }
        c->account = bigger;
        c->cap = cap;
    }
    c->account[c->n++] = *a;
}

struct replay {
    struct execution_tx *tx;
    struct hash *hash;
    uint32_t n;
};

static enum err split(struct replay *r, struct bytes body)
{
    TRY(body_count(body, &r->n));
    struct bytes *raw = calloc((size_t)r->n + 1, sizeof *raw);
    r->tx = calloc((size_t)r->n + 1, sizeof *r->tx);
    r->hash = calloc((size_t)r->n + 1, sizeof *r->hash);
    if (raw == NULL || r->tx == NULL || r->hash == NULL) {
        free(raw);
        return ERR_NO_MEMORY;
    }
    body_split(body, raw, r->n);
    enum err err = OK;
    for (uint32_t i = 0; i < r->n && err == OK; i++) {
        struct tx tx;
        r->tx[i].raw = raw[i];
        err = tx_decode(&tx, raw[i]) == TX_OK && tx_sender(&r->tx[i].sender, &tx) == TX_OK
                  ? OK
                  : ERR_CORRUPT;
        r->hash[i] = err == OK ? tx.hash : r->hash[i];
    }
    free(raw);
    return err;
}

static enum err run_block(struct node *n, const struct header *h, struct bytes body,
                          const struct replay *r)
{
    struct execution_block b = {
        .parent = h->payload_parent,
        .height = h->height,
        .timestamp_ms = h->timestamp_ms,
        .fee_recipient = n->epoch.member[h->leader].address,
        .body = body,
        .tx = r->tx,
        .txs = r->n,
    };
    struct execution_result result;
    ledger_execute(n->ledger_object, &b, &h->payload, &h->state_root, &result);
    struct payload_info info;
    if (result.status != EXECUTION_VALID ||
        payload_info_decode(&info, bytes_of(result.info, result.info_len)) != OK) {
        return ERR_CORRUPT;
    }
    ledger_record_block(n, &info, r->hash, r->n);
    struct changes c = {0};
    enum err err = ledger_finalize(n->ledger_object, &h->payload, collect_change, &c);
    if (err == OK && !c.failed) {
        err = write_state(n, c.account, c.n, &info);
    }
    free(c.account);
    return c.failed ? ERR_NO_MEMORY : err;
}

static enum err replay_height(struct node *n, uint64_t height)
{
    struct hash hash;
    struct storage_buffer buf = {0};
    struct block b;
    TRY(storage_hash_by_height(n->storage, height, &hash));
    enum err err = storage_get_block(n->storage, &hash, &buf, &b);
    struct replay r = {0};
    if (err == OK) {
        err = split(&r, b.body);
    }
    if (err == OK) {
        err = run_block(n, &b.head.header, b.body, &r);
    }
    free(r.tx);
    free(r.hash);
    free(buf.p);
    return err;
}

/* Height of the highest final block, 0 where there is none. */
static enum err final_height(struct node *n, uint64_t *out)
{
    uint64_t epoch, slot;
    struct hash hash;
    struct storage_buffer bench = {0};
    *out = 0;
    enum err err = storage_highest_final(n->storage, &epoch, &slot, &hash, &bench);
    free(bench.p);
    if (err == ERR_NOT_FOUND) {
        return OK;
    }
    TRY(err);
    struct storage_buffer buf = {0};
    struct block b;
    err = storage_get_block(n->storage, &hash, &buf, &b);
    *out = err == OK ? b.head.header.height : 0;
    free(buf.p);
    return err;
}

enum err ledger_start(struct node *n, char *why, size_t why_len)
{
    struct storage_buffer buf = {0};
    struct payload_info head;
    enum err err =
        storage_get(n->storage, TABLE_MISC, bytes_of(head_key, sizeof head_key - 1), &buf);
    if (err == OK) {
        err = payload_info_decode(&head, bytes_of(buf.p, buf.n)) == OK ? from_disk(n, &head)
                                                                       : ERR_CORRUPT;
    } else if (err == ERR_NOT_FOUND) {
        err = from_genesis(n);
    }
    free(buf.p);
    uint64_t to = 0;
    if (err == OK) {
        err = final_height(n, &to);
    }
    if (err == OK) {
        ledger_head(n->ledger_object, &head);
    }
    for (uint64_t h = head.number + 1; err == OK && h <= to; h++) {
        err = replay_height(n, h);
    }
    if (err != OK) {
        snprintf(why, why_len,
                 "the ledger's state in %s/db cannot be restored (%s); move that folder away and "
                 "keep the file `safety`: the node fetches the chain again",
                 n->config->dir, err_text(err));
    }
    return err;
}
