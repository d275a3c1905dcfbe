/* What an endpoint of an L1 answers: to calls, by id; and blocks, put back into the bytes that
 * their hashes cover. First byte: bit 0 a block alone, bit 1 it gets the hashes that it should have
 * (else no change of it would come past them); bits 2 and 3 how many calls were made, or which
 * root (l1_seal.h). */
#include "sequencer/l1/header.h"
#include "sequencer/web/request.h"
#include "sequencer/l1/tx_json.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/l1_seal.h"

enum { BLOCK = 1, SEALED = 2, FIRST_ID = 7 };

/* What proto/ reads in the same bytes is what was kept. */
static void check_kept(const struct l1_tx *k, struct bytes raw)
{
    struct tx tx;
    struct address sender;
    if (tx_decode(&tx, raw) != TX_OK) {
        return;
    }
    DEMAND(!tx.creates && address_equal(&tx.to, &k->to) && tx.type == k->type);
    DEMAND(bytes_equal(tx.data, k->input) && hash_equal(&tx.hash, &k->hash));
    if (tx_sender(&sender, &tx) == TX_OK) {
        DEMAND(address_equal(&sender, &k->from));
    }
}

static void check_block(const struct block_read *b)
{
    uint32_t next = 0;
    DEMAND(b->block.n <= b->block.txs);
    for (size_t i = 0; i < b->block.n; i++) {
        const struct l1_tx *k = &b->block.tx[i];
        DEMAND(k->index >= next && k->index < b->block.txs && k->type <= TX_JSON_BLOB);
        DEMAND((k->blobs == 0) || k->type == TX_JSON_BLOB);
        next = k->index + 1;
        if (k->type != TX_JSON_BLOB) {
            check_kept(k, b->item[k->index]);
        }
    }
}

static void read_block(struct json_object *o, size_t text_n, uint8_t how)
{
    const struct block_watch watch = {.to = {{{0xff}}, {{0xfe}}}, .n = 2};
    struct block_read b;
    struct block_read whole;
    struct l1_header header;
    enum l1_root root = (enum l1_root)(how >> 2 & 3);
    DEMAND(json_at(o, json_list(o)) == NULL);
    bool sealed = (how & SEALED) != 0 && l1_seal(o, text_n, root);
    enum err e = block_read(&b, o, text_n, &watch);
    DEMAND(!sealed || root != L1_ROOT_BARE || e != ERR_INVALID_BLOCK);
    DEMAND(e != OK || header_read(&header, o) == OK);
    if (e == OK) {
        check_block(&b);
    }
    const struct block_watch nobody = {.n = 0};
    if (block_read(&whole, o, text_n, &nobody) == OK) { /* nobody's transaction is looked into */
        DEMAND(whole.block.n == 0 && (e != OK || whole.block.txs == b.block.txs));
    }
    block_release(&whole);
    block_release(&b);
}

static void read_text(struct bytes text, uint8_t how)
{
    struct json_object *o = json_read(text);
    if (o != NULL) {
        read_block(o, text.n, how);
        json_object_put(o);
    }
}

/* Every answer is a result or an error, and blocks among them are looked at. */
static void read_answers(struct bytes text, uint32_t calls)
{
    static struct answers a;
    struct request r;
    request_begin(&r, FIRST_ID);
    for (uint32_t i = 0; i < calls; i++) {
        request_call(&r, "eth_getBlockByNumber");
        request_text(&r, "\"latest\"");
        request_quantity(&r, i);
        request_hex(&r, text.p, text.n < 4 ? text.n : 4);
    }
    request_end(&r);
    DEMAND(request_body(&r).n > 0);
    enum web_fault f = answers_read(&a, &r, text);
    DEMAND(f == WEB_FAULT_NONE || f == WEB_FAULT_GARBAGE || f == WEB_FAULT_WRONG_ID);
    for (uint32_t i = 0; f == WEB_FAULT_NONE && i < a.n; i++) {
        DEMAND(a.at[i].message != NULL && (!a.at[i].error || a.at[i].result == NULL));
        if (a.at[i].result != NULL) {
            read_block(a.at[i].result, text.n, 0);
        }
    }
    answers_release(&a);
    request_free(&r);
}

void fuzz_l1(struct bytes in)
{
    uint8_t how = script_u8(&in);
    (void)fuzz_epoch(); /* makes the library of keys ready */
    if ((how & BLOCK) != 0) {
        read_text(in, how);
    } else {
        read_answers(in, 1 + (how >> 2 & 3));
    }
}
