/* A chain is executed, posted into files, and rebuilt from them with the genesis alone; a flipped
 * bit anywhere is found. */
#define _GNU_SOURCE
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/body.h"
#include "proto/key.h"
#include "proto/tx.h"
#include "sequencer/batcher/layer_file.h"
#include "sequencer/cli/verify_batches.h"
#include "sequencer/execution/ledger.h"
#include "sequencer/node/genesis_file.h"

enum { MEMBERS = 4, SEGMENTS = 3, BLOCKS = 5, TXS = 3, RAW_BYTES = 256, MS = 1000, STEP = 7 };

/* A member set, its chain so far, and the folder that it posts to. */
struct world {
    uint32_t block_time_ms;
    struct secret_key key[MEMBERS];
    struct secret_key rich;
    struct genesis genesis;
    struct epoch_config config;
    struct ledger *ledger;
    struct payload_info head;
    uint64_t nonce;
    uint64_t slot;
    struct hash parent_block;
    char folder[64];
    struct layer_file *files;
    /* of the segment in the making */
    struct segment_block block[BLOCKS];
    uint8_t *body[BLOCKS];
    struct auth_time time[BLOCKS];
    struct header last;
};

static char why[1024];

static void set_up_genesis(struct world *w)
{
    struct genesis *g = &w->genesis;
    g->chain_id = 41197;
    g->timestamp_ms = 1700000000500;
    g->params = (struct epoch_params){FAULT_BFT, PACE_FIXED, 4, 4, w->block_time_ms,
                                      w->block_time_ms, 1, 30000000};
    g->n = MEMBERS;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        w->key[i].b[31] = (uint8_t)(i + 1);
        assert_int_equal(key_address(&g->member[i].address, &w->key[i]), OK);
        g->member[i].weight = 1;
        snprintf(g->member[i].name, sizeof g->member[i].name, "node%u", (unsigned)i);
        snprintf(g->member[i].endpoint, sizeof g->member[i].endpoint, "127.0.0.1:%u",
                 30000u + (unsigned)i);
    }
    g->seal_ms = GENESIS_SEAL_MS;
    g->base_fee = u256_from_u64(1000000000);
    g->allocs = 1;
    g->alloc = calloc(1, sizeof *g->alloc);
    w->rich.b[31] = 99;
    assert_int_equal(key_address(&g->alloc[0].address, &w->rich), OK);
    g->alloc[0].balance = (struct u256){{0, 1000000, 0, 0}};
}

static void open_world(struct world *w, uint32_t block_time_ms)
{
    memset(w, 0, sizeof *w);
    w->block_time_ms = block_time_ms;
    set_up_genesis(w);
    assert_int_equal(ledger_create(&w->ledger, &w->genesis), OK);
    enum err e = genesis_epoch_config(&w->config, &w->genesis, why, sizeof why);
    if (e != OK) {
        print_error("%s\n", why);
    }
    assert_int_equal(e, OK);
    ledger_head(w->ledger, &w->head);
    snprintf(w->folder, sizeof w->folder, "/tmp/baton-verify-test-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    assert_int_equal(layer_file_open(&w->files, w->folder, 41197, 1, true, why, sizeof why), OK);
}

static void path_of(const struct world *w, char out[128], size_t segment, const char *suffix)
{
    snprintf(out, 128, "%s/%012zu%s", w->folder, 1 + segment * BLOCKS, suffix);
}

static void close_world(struct world *w)
{
    char path[128];
    layer_file_close(w->files);
    ledger_destroy(w->ledger);
    free(w->genesis.alloc);
    for (size_t i = 0; i < SEGMENTS; i++) {
        path_of(w, path, i, ".seg");
        unlink(path);
        path_of(w, path, i, ".auth");
        unlink(path);
    }
    assert_int_equal(rmdir(w->folder), 0);
}

static void make_txs(struct world *w, uint8_t raw[TXS][RAW_BYTES], struct execution_tx tx[TXS])
{
    for (size_t i = 0; i < TXS; i++) {
        struct tx_request r = {.chain_id = 41197,
                               .nonce = w->nonce++,
                               .max_priority_fee = u256_from_u64(5),
                               .max_fee = u256_from_u64(3000000000),
                               .gas = 21000,
                               .to = {{(uint8_t)i, 7}},
                               .value = u256_from_u64(1 + w->nonce)};
        assert_int_equal(tx_sign(raw[i], RAW_BYTES, &tx[i].raw.n, &r, &w->rich), OK);
        tx[i].raw.p = raw[i];
        tx[i].sender = w->genesis.alloc[0].address;
    }
}

/* Executes the next block; its body and time are remembered for the segment. */
static void make_block(struct world *w, size_t i)
{
    uint8_t raw[TXS][RAW_BYTES];
    struct execution_tx tx[TXS];
    struct execution_result result;
    make_txs(w, raw, tx);
    w->slot++;
    w->time[i] = (struct auth_time){w->genesis.timestamp_ms + w->slot * w->block_time_ms,
                                    (uint8_t)(w->slot / 4 % MEMBERS)};
    struct execution_block b = {
        .parent = w->head.hash,
        .height = w->head.number + 1,
        .timestamp_ms = w->time[i].ms,
        .fee_recipient = w->config.member[w->time[i].leader].address,
        .tx = tx,
        .txs = i % 3 == 2 ? 0 : TXS,
    };
    w->nonce -= b.txs == 0 ? TXS : 0;
    ledger_build(w->ledger, &b, &result);
    assert_int_equal(result.status, EXECUTION_VALID);
    assert_int_equal(result.txs, b.txs);
    w->body[i] = malloc(result.body_len);
    memcpy(w->body[i], result.body, result.body_len);
    w->block[i] = (struct segment_block){w->time[i].ms, bytes_of(w->body[i], result.body_len)};
    assert_int_equal(
        payload_info_decode(&w->head, bytes_of(result.info, result.info_len)), OK);
    assert_int_equal(ledger_finalize(w->ledger, &w->head.hash, NULL, NULL), OK);
}

static void sign_last(struct world *w, struct batch_auth *a)
{
    a->headers = 1;
    a->header[0] = (struct header){.chain_id = 41197,
                                   .genesis = w->config.genesis,
                                   .config = w->config.hash,
                                   .slot = w->slot,
                                   .parent = w->parent_block,
                                   .height = w->head.number,
                                   .timestamp_ms = w->time[BLOCKS - 1].ms,
                                   .leader = w->time[BLOCKS - 1].leader,
                                   .payload = w->head.hash,
                                   .state_root = w->head.state_root};
    a->cert = (struct certificate){.kind = VOTE_FINALIZE, .slot = w->slot, .signers = 11};
    a->cert.block = header_hash(&a->header[0]);
    w->parent_block = a->cert.block;
    struct hash digest = vote_digest(&w->config, VOTE_FINALIZE, w->slot, &a->cert.block);
    static const size_t who[] = {0, 1, 3};
    for (size_t k = 0; k < 3; k++) {
        assert_int_equal(key_sign(&a->cert.signature[k], &w->key[who[k]], &digest), OK);
    }
}

static void post_segment(struct world *w, uint64_t number)
{
    struct batch_auth *a = calloc(1, sizeof *a);
    struct segment s;
    struct buffer envelope;
    struct batch_chain chain = {41197, w->genesis.timestamp_ms / MS,
                                w->block_time_ms % MS == 0 ? w->block_time_ms / MS : 0};
    segment_init(&s);
    buffer_init(&envelope, 1 << 20);
    *a = (struct batch_auth){.chain_id = 41197, .segment = number, .first = w->head.number + 1,
                             .last = w->head.number + BLOCKS, .parent = w->head.hash,
                             .config = w->config.hash, .next_config = w->config.hash};
    for (size_t i = 0; i < BLOCKS; i++) {
        make_block(w, i);
    }
    assert_int_equal(segment_build(&s, &chain, &a->parent, w->block, BLOCKS), OK);
    a->last_hash = w->head.hash;
    a->channel = s.id;
    a->root = s.root;
    a->commitment = s.commitment;
    sign_last(w, a);
    assert_int_equal(auth_encode(&envelope, a, w->time), OK);
    struct posting p = {a->first, a->last, buffer_bytes(&s.payload), buffer_bytes(&envelope)};
    assert_int_equal(layer_file_layer(w->files).post(w->files, &p), OK);
    for (size_t i = 0; i < BLOCKS; i++) {
        free(w->body[i]);
    }
    segment_free(&s);
    buffer_free(&envelope);
    free(a);
}

static void post_all(struct world *w, uint32_t block_time_ms)
{
    open_world(w, block_time_ms);
    for (uint64_t i = 0; i < SEGMENTS; i++) {
        post_segment(w, i);
    }
}

static enum err verify(struct world *w, struct batches_seen *seen)
{
    return verify_batches(seen, w->folder, &w->genesis, &w->config, NULL, NULL, why, sizeof why);
}

/* At whole seconds, as the OP Stack has it, and at the pace of a devnet. */
static void rebuilt(void **state)
{
    (void)state;
    static const uint32_t times[] = {2000, 200};
    for (size_t i = 0; i < 2; i++) {
        struct world *w = malloc(sizeof *w);
        struct batches_seen seen;
        post_all(w, times[i]);
        enum err e = verify(w, &seen);
        if (e != OK) {
            print_error("%s\n", why);
        }
        assert_int_equal(e, OK);
        assert_true(seen.segments == SEGMENTS && seen.blocks == SEGMENTS * BLOCKS);
        assert_int_equal(seen.txs, SEGMENTS * 4 * TXS);
        assert_true(hash_equal(&seen.payload, &w->head.hash));
        assert_int_equal(seen.head, w->head.number);
        close_world(w);
        free(w);
    }
}

static void flip(const char *path, long at, int mask)
{
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    fseek(f, at, SEEK_SET);
    int c = fgetc(f);
    fseek(f, at, SEEK_SET);
    fputc(c ^ mask, f);
    fclose(f);
}

static long size_of(const char *path)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    fclose(f);
    return n;
}

/* Did the damage show at segment `i`, or where the next one should continue it? */
static bool names_place(size_t i)
{
    char own[16];
    char next[16];
    snprintf(own, sizeof own, "%012zu", 1 + i * (size_t)BLOCKS);
    snprintf(next, sizeof next, "%012zu", 1 + (i + 1) * BLOCKS);
    return strstr(why, own) != NULL || strstr(why, next) != NULL;
}

static void flip_through(struct world *w, size_t segment, const char *suffix, long from)
{
    struct batches_seen seen;
    char path[128];
    path_of(w, path, segment, suffix);
    for (long at = from; at < size_of(path); at += STEP) {
        flip(path, at, 1 << (at % 8));
        enum err e = verify(w, &seen);
        if (e == OK || !names_place(segment)) {
            print_error("%s byte %ld: %s: %s\n", path, at, err_name(e), why);
            fail();
        }
        flip(path, at, 1 << (at % 8));
    }
}

/* One bit of every seventh byte of every file, another one each time. */
static void one_bit_anywhere(void **state)
{
    (void)state;
    static const char *const suffix[] = {".seg", ".auth"};
    static const uint32_t times[] = {2000, 200};
    for (size_t k = 0; k < 4; k++) {
        struct world *w = malloc(sizeof *w);
        struct batches_seen seen;
        post_all(w, times[k / 2]);
        for (size_t segment = 0; segment < SEGMENTS; segment++) {
            flip_through(w, segment, suffix[k % 2], (long)(k + segment) % STEP);
        }
        assert_int_equal(verify(w, &seen), OK);
        close_world(w);
        free(w);
    }
}

static void wrong_chains(void **state)
{
    (void)state;
    struct world *w = malloc(sizeof *w);
    struct batches_seen seen;
    post_all(w, 200);
    w->genesis.alloc[0].balance.v[0] ^= 1; /* another genesis, the same members */
    assert_true(verify(w, &seen) != OK);
    assert_int_equal(seen.segments, 0);
    w->genesis.alloc[0].balance.v[0] ^= 1;
    w->config.member[3].address.b[0] ^= 1; /* a signer who is no member */
    assert_true(verify(w, &seen) != OK);
    w->config.member[3].address.b[0] ^= 1;
    assert_int_equal(verify(w, &seen), OK);
    assert_int_equal(verify_batches(&seen, "/nowhere/at/all", &w->genesis, &w->config, NULL, NULL,
                                    why, sizeof why),
                     ERR_NOT_FOUND);
    close_world(w);
    free(w);
}

/* Runs `baton verify batches` on the world; what it says is in `output`. */
static int run_program(const struct world *w, const char *genesis, const char *options,
                       char output[2048])
{
    char command[512];
    snprintf(command, sizeof command, "'%s' verify batches '%s' --genesis '%s' %s 2>&1 </dev/null",
             BATON_PROGRAM, w->folder, genesis, options);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    size_t n = fread(output, 1, 2047, f);
    output[n] = '\0';
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(const char *output, const char *part)
{
    if (strstr(output, part) == NULL) {
        print_error("%s\n", output);
    }
    assert_non_null(strstr(output, part));
}

/* The command: exit codes, the head's hash, the place of damage. */
static void the_program(void **state)
{
    (void)state;
    struct world *w = malloc(sizeof *w);
    char genesis[80];
    char path[128];
    char head[HEX_SIZE(32)];
    char output[2048];
    post_all(w, 200);
    snprintf(genesis, sizeof genesis, "%s.json", w->folder);
    assert_int_equal(genesis_file_write(&w->genesis, genesis, why, sizeof why), OK);
    hex_encode(head, w->head.hash.b, 32);
    assert_int_equal(run_program(w, genesis, "", output), 0);
    expect(output, "ok: 3 segments, 15 blocks, 36 transactions; head 15 0x");
    expect(output, head);
    assert_int_equal(run_program(w, genesis, "--json", output), 0);
    expect(output, "{\"ok\":true,\"segments\":3,\"blocks\":15,");
    path_of(w, path, 1, ".seg");
    flip(path, 100, 4);
    assert_int_equal(run_program(w, genesis, "", output), 1);
    expect(output, "000000000006.seg: its bytes are not those");
    expect(output, "what came before holds, up to block 5");
    flip(path, 100, 4);
    assert_int_equal(run_program(w, "/nowhere.json", "", output), 2);
    unlink(genesis);
    close_world(w);
    free(w);
}

static int set_up(void **state)
{
    (void)state;
    return key_library_init() == OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rebuilt),
        cmocka_unit_test(one_bit_anywhere),
        cmocka_unit_test(wrong_chains),
        cmocka_unit_test(the_program),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
