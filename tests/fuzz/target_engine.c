#define _GNU_SOURCE
/* Answers of an execution client, whole or as bodies of blocks. The first byte says which. */
#include <stdlib.h>

#include "proto/body.h"
#include "sequencer/engine/engine_json.h"
#include "sequencer/engine/engine_status.h"
#include "tests/fuzz/fuzz.h"

static const enum engine_fork forks[] = {ENGINE_CANCUN, ENGINE_PRAGUE, ENGINE_OSAKA};

/* One form only: what is read is written as the same bytes. */
static void same_again(struct engine_payload *p, enum engine_fork fork, struct bytes in)
{
    uint8_t *again = NULL;
    size_t n = 0;
    struct bytes txs;
    uint32_t count;
    DEMAND(engine_body_encode(&again, &n, p, fork) == OK);
    DEMAND(bytes_equal(bytes_of(again, n), in));
    DEMAND(engine_body_txs(in, &txs) == OK && bytes_equal(txs, p->txs));
    DEMAND(body_count(txs, &count) == OK && count == p->tx_n);
    free(again);
}

static void a_body(struct bytes in, enum engine_fork fork)
{
    static struct engine_payload p;
    struct bytes txs;
    if (engine_body_decode(&p, fork, in) == OK) {
        same_again(&p, fork, in);
    } else if (engine_body_txs(in, &txs) == OK) {
        DEMAND(txs.p > in.p && txs.p + txs.n <= in.p + in.n);
    }
}

/* What a client built travels, and every member reads it as it was. */
static void a_payload(struct json_object *result, enum engine_fork fork)
{
    static struct engine_built b;
    static struct engine_payload read;
    uint8_t *body = NULL;
    size_t n = 0;
    struct request r;
    if (engine_get_built(&b, fork, result) != OK) {
        return;
    }
    if (engine_body_encode(&body, &n, &b.payload, fork) == ERR_TOO_LARGE) {
        free(b.memory);
        return;
    }
    DEMAND(engine_body_decode(&read, fork, bytes_of(body, n)) == OK);
    DEMAND(bytes_equal(read.txs, b.payload.txs) && read.tx_n == b.payload.tx_n);
    DEMAND(read.gas_used == b.payload.gas_used && read.requests == b.payload.requests);
    engine_put_new(&r, 1, fork, &read);
    struct json_object *asked = json_read(request_body(&r));
    DEMAND(json_list(json_get(json_at(json_get(asked, "params"), 0), "transactions")) ==
           read.tx_n);
    json_object_put(asked);
    request_free(&r);
    free(body);
    free(b.memory);
}

static void an_answer(struct bytes in, enum engine_fork fork)
{
    const struct request asked = {.first_id = 1, .calls = 1};
    const struct hash none = {{0}};
    static struct answers a;
    struct engine_id id;
    struct engine_head head;
    const char *text = "";
    if (answers_read(&a, &asked, in) == WEB_FAULT_NONE) {
        struct json_object *result = a.at[0].result;
        enum engine_meaning m = a.at[0].error ? engine_of_error(a.at[0].code)
                                              : engine_of_status(result, &none, &text);
        DEMAND(m < ENGINE_MEANINGS_N && text != NULL);
        DEMAND(!a.at[0].error || engine_verdict(m) == EXECUTION_ERROR);
        (void)engine_get_id(result, &id);
        (void)engine_get_head(result, &head);
        (void)engine_get_capabilities(result, fork, &text);
        a_payload(result, fork);
    }
    answers_release(&a);
}

void fuzz_engine(struct bytes in)
{
    uint8_t kind = script_u8(&in);
    enum engine_fork fork = forks[kind / 2 % 3];
    if (kind % 2 == 0) {
        a_body(in, fork);
    } else {
        an_answer(in, fork);
    }
}
