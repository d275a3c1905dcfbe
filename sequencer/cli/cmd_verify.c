#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sequencer/cli/cli.h"
#include "sequencer/cli/doc.h"
#include "sequencer/cli/options.h"
#include "sequencer/cli/verify.h"
#include "sequencer/cli/verify_batches.h"
#include "sequencer/cli/verify_l1.h"
#include "sequencer/node/genesis_file.h"

typedef enum err (*verify_fn)(struct header *target, const struct epoch_config *c,
                              struct json_object *document, char *why, size_t why_len);

struct verify_options {
    const char *genesis;
    const char *beacon;
    const char *l1_start;
    bool json;
};

/* The genesis is to be freed, also after a failure. */
static enum err read_genesis(struct genesis *g, struct epoch_config *out, const char *path,
                             char *why, size_t why_len)
{
    char warning[256];
    *g = (struct genesis){0};
    TRY(genesis_file_read(g, path, why, why_len));
    return genesis_epoch_config(out, g, warning, sizeof warning);
}

static enum err read_config(struct epoch_config *out, const char *path, char *why, size_t why_len)
{
    struct genesis g;
    enum err e = read_genesis(&g, out, path, why, why_len);
    genesis_free(&g);
    return e;
}

/* A whole JSON-RPC answer, as curl saves it, is as good as its result. */
static struct json_object *document_of(struct json_object *file)
{
    struct json_object *result = doc_member(file, "result");
    return result != NULL ? result : file;
}

static void report(const struct verify_options *o, const struct header *h)
{
    char hash[HEX_SIZE(32)];
    hex_encode(hash, h->payload.b, 32);
    if (!o->json) {
        printf("ok: block %" PRIu64 " %s is final (slot %" PRIu64 ")\n", h->height, hash, h->slot);
        return;
    }
    struct json_object *doc = json_object_new_object();
    doc_put(doc, "ok", json_object_new_boolean(1));
    doc_put_u64(doc, "number", h->height);
    doc_put_text(doc, "hash", hash);
    doc_put_u64(doc, "slot", h->slot);
    doc_print_line(doc);
    json_object_put(doc);
}

static int run(const struct verify_options *o, verify_fn verify, const char *file)
{
    struct epoch_config config;
    struct header target;
    char why[512] = "";
    enum err e = read_config(&config, o->genesis, why, sizeof why);
    if (e != OK) {
        return cli_fail(cli_exit_of(e), "verify: %s", *why != '\0' ? why : err_text(e));
    }
    struct json_object *document = doc_read(file);
    if (document == NULL) {
        return cli_fail(CLI_USAGE, "verify: %s: cannot be read, or is no JSON", file);
    }
    e = verify(&target, &config, document_of(document), why, sizeof why);
    json_object_put(document);
    if (e != OK) {
        return cli_fail(CLI_FAILED, "verify: %s: %s", file, *why != '\0' ? why : err_text(e));
    }
    report(o, &target);
    return CLI_DONE;
}

/* ---- batches ------------------------------------------------------------------------------------ */

enum { PROGRESS_SEGMENTS = 100 };

static void progress(void *arg, const struct batches_seen *seen)
{
    const struct verify_options *o = arg;
    if (!o->json && seen->segments % PROGRESS_SEGMENTS == 0) {
        fprintf(stderr, "%" PRIu64 " segments, block %" PRIu64 "\n", seen->segments, seen->head);
    }
}

static void report_batches(const struct verify_options *o, const struct batches_seen *seen)
{
    char hash[HEX_SIZE(32)];
    hex_encode(hash, seen->payload.b, 32);
    if (!o->json) {
        printf("ok: %" PRIu64 " segments, %" PRIu64 " blocks, %" PRIu64
               " transactions; head %" PRIu64 " %s\n",
               seen->segments, seen->blocks, seen->txs, seen->head, hash);
        return;
    }
    struct json_object *doc = json_object_new_object();
    doc_put(doc, "ok", json_object_new_boolean(1));
    doc_put_u64(doc, "segments", seen->segments);
    doc_put_u64(doc, "blocks", seen->blocks);
    doc_put_u64(doc, "transactions", seen->txs);
    doc_put_u64(doc, "number", seen->head);
    doc_put_text(doc, "hash", hash);
    doc_print_line(doc);
    json_object_put(doc);
}

static int run_batches(struct verify_options *o, const char *dir)
{
    struct genesis g;
    struct epoch_config config;
    struct batches_seen seen;
    char why[1024] = "";
    enum err e = read_genesis(&g, &config, o->genesis, why, sizeof why);
    if (e != OK) {
        genesis_free(&g);
        return cli_fail(cli_exit_of(e), "verify: %s", *why != '\0' ? why : err_text(e));
    }
    bool url = strncmp(dir, "http://", 7) == 0 || strncmp(dir, "https://", 8) == 0;
    const struct verify_l1_source source = {dir, o->beacon, o->l1_start};
    e = url ? verify_l1(&seen, &source, &g, &config, progress, o, why, sizeof why)
            : verify_batches(&seen, dir, &g, &config, progress, o, why, sizeof why);
    genesis_free(&g);
    if (e == OK) {
        report_batches(o, &seen);
        return CLI_DONE;
    }
    int code = e == ERR_UNREACHABLE                            ? CLI_UNREACHABLE
               : e == ERR_NOT_FOUND && seen.segments == 0 && !url ? CLI_USAGE
                                                               : CLI_FAILED;
    return cli_fail(code,
                    "verify: %s; what came before holds, up to block %" PRIu64,
                    *why != '\0' ? why : err_text(e), seen.head);
}

int cmd_verify(int argc, char **argv)
{
    struct verify_options o = {.genesis = "genesis.json"};
    struct words words = {.n = 0};
    const struct option table[] = {
        {"genesis", OPTION_TEXT, &o.genesis, "FILE", 0, 0, "all that is trusted (genesis.json)"},
        {"beacon", OPTION_TEXT, &o.beacon, "URL", 0, 0, "of an L1, for blobs (the same URL)"},
        {"l1-start", OPTION_TEXT, &o.l1_start, "N:HASH", 0, 0,
         "L1 block before the first batch (block 0)"},
        {"json", OPTION_FLAG, &o.json, "", 0, 0, "as JSON"},
    };
    const struct command_line line = {
        "verify", "certificate FILE | receipt FILE | batches DIR|L1-URL [--genesis FILE]",
        "Checks a document of baton_getCertificate or baton_getReceiptProof offline, or rebuilds the\n"
        "chain from the batches in a folder or on an L1. Exit code 1 and a sentence where it does not hold.",
        table, sizeof table / sizeof table[0]};
    int code = options_read(&line, argc, argv, &words);
    if (code >= 0) {
        return code;
    }
    const char *what = words.n > 0 ? words.word[0] : "";
    if (strcmp(what, "batches") == 0 && words.n == 2) {
        return run_batches(&o, words.word[1]);
    }
    bool certificate = strcmp(what, "certificate") == 0;
    if ((!certificate && strcmp(what, "receipt") != 0) || words.n != 2) {
        return cli_fail(CLI_USAGE, "verify: expected `certificate FILE`, `receipt FILE` or "
                                   "`batches DIR|L1-URL`");
    }
    return run(&o, certificate ? verify_certificate : verify_receipt, words.word[1]);
}
