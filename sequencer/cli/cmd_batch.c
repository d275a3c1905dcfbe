#define _GNU_SOURCE
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "sequencer/batcher/segment.h"
#include "sequencer/cli/batch_text.h"
#include "sequencer/cli/cli.h"
#include "sequencer/cli/doc.h"
#include "sequencer/cli/options.h"
#include "sequencer/node/genesis_file.h"

enum { READ_BYTES = 65536, CALLDATA_FRAME = 120000 };

struct batch_options {
    const char *kind;
    const char *genesis;
    const char *compression;
    uint64_t chain_id;
    uint64_t genesis_time;
    uint64_t block_time;
    uint64_t quality;
    uint64_t frame_size;
    bool binary;
    bool rebuild;
    bool json;
};

/* No quality was given: the compression's own is taken. */
enum { OWN_QUALITY = 12 };

static enum batch_kind kind_of(const char *name)
{
    static const char *const names[] = {"payload", "frames", "channel", "batches", "blob"};
    size_t i = 0;
    while (strcmp(names[i], name) != 0) {
        i++; /* the options were checked: it is one of them */
    }
    return (enum batch_kind)i;
}

/* A whole file, `-` for standard input. False with a sentence printed. */
static bool read_file(struct buffer *out, const char *path)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    size_t n = 0;
    bool good = f != NULL;
    while (good) {
        uint8_t *to = buffer_room(out, READ_BYTES);
        n = to != NULL ? fread(to, 1, READ_BYTES, f) : 0;
        out->n += n;
        good = to != NULL;
        if (n == 0) {
            break;
        }
    }
    good = good && !ferror(f);
    if (f != NULL && f != stdin) {
        fclose(f);
    }
    return good;
}

/* Digits, either case, with white space anywhere and one 0x at the start. */
static bool hex_in_place(struct buffer *b, size_t *bad)
{
    size_t digits = 0;
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        int c = b->p[i];
        if (isspace(c)) {
            continue;
        }
        if (digits == 1 && n == 0 && (c == 'x' || c == 'X') && b->p[0] == 0) {
            digits = 0;
            continue;
        }
        *bad = i;
        if (!isxdigit(c)) {
            return false;
        }
        uint8_t half = (uint8_t)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
        b->p[n] = (uint8_t)(digits % 2 == 0 ? half : b->p[n] << 4 | half);
        n += digits % 2;
        digits++;
    }
    *bad = b->n;
    b->n = n;
    return digits % 2 == 0;
}

static enum err read_chain(struct batch_chain *out, const struct batch_options *o)
{
    *out = (struct batch_chain){o->chain_id, o->genesis_time, o->block_time};
    if (o->genesis == NULL) {
        return OK;
    }
    struct genesis g = {0};
    char why[512] = "";
    enum err e = genesis_file_read(&g, o->genesis, why, sizeof why);
    if (e == OK) {
        *out = batch_chain_of(&g);
    } else {
        cli_fail(0, "batch: %s", *why != '\0' ? why : err_text(e));
    }
    genesis_free(&g);
    return e;
}

static int print_document(const struct batch_options *o, const struct batch_chain *chain,
                          struct bytes in, const char *path)
{
    struct json_object *document = NULL;
    struct fault fault;
    enum err e = batch_to_json(&document, chain, kind_of(o->kind), in, &fault);
    if (e != OK && fault.e != OK) {
        return cli_fail(CLI_FAILED, "batch decode: %s: byte %zu: expected %s", path, fault.at,
                        fault.wanted);
    }
    if (e != OK) {
        return cli_fail(CLI_FAILED, "batch decode: %s: %s", path, err_text(e));
    }
    if (o->json) {
        doc_print_line(document);
    } else {
        doc_print_pretty(document);
    }
    json_object_put(document);
    return CLI_DONE;
}

static int decode(const struct batch_options *o, const char *path)
{
    struct batch_chain chain;
    struct buffer in;
    size_t bad = 0;
    enum err e = read_chain(&chain, o);
    if (e != OK) {
        return cli_exit_of(e);
    }
    buffer_init(&in, (size_t)2 * LIMIT_CHANNEL_BYTES + READ_BYTES);
    int code;
    if (!read_file(&in, path)) {
        code = cli_fail(CLI_USAGE, "batch decode: %s: cannot be read, or is larger than %d bytes",
                        path, 2 * LIMIT_CHANNEL_BYTES);
    } else if (!o->binary && !hex_in_place(&in, &bad)) {
        code = cli_fail(CLI_FAILED,
                        "batch decode: %s: character %zu: expected an even number of hex digits "
                        "(--binary reads bytes)",
                        path, bad);
    } else {
        code = print_document(o, &chain, buffer_bytes(&in), path);
    }
    buffer_free(&in);
    return code;
}

static int print_bytes(const struct batch_options *o, struct bytes out)
{
    if (o->binary) {
        return fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0 ? CLI_DONE
                                                                               : CLI_FAILED;
    }
    char *text = malloc(HEX_SIZE(out.n));
    if (text == NULL) {
        return cli_fail(CLI_FAILED, "batch encode: %s", err_text(ERR_NO_MEMORY));
    }
    hex_encode(text, out.p, out.n);
    puts(text);
    free(text);
    return CLI_DONE;
}

static int make(const struct batch_options *o, struct json_object *document, const char *path)
{
    struct batch_making making = {
        .kind = kind_of(o->kind),
        .compression = compression_named(o->compression),
        .quality = o->quality == OWN_QUALITY ? -1 : (int)o->quality,
        .frame_size = o->frame_size,
        .rebuild = o->rebuild,
    };
    struct buffer out;
    char why[512] = "";
    enum err e = read_chain(&making.chain, o);
    if (e != OK) {
        return cli_exit_of(e);
    }
    buffer_init(&out, (size_t)2 * LIMIT_CHANNEL_BYTES);
    e = batch_from_json(&out, &making, document, why, sizeof why);
    int code = e == OK ? print_bytes(o, buffer_bytes(&out))
                       : cli_fail(CLI_FAILED, "batch encode: %s: %s", path,
                                  *why != '\0' ? why : err_text(e));
    buffer_free(&out);
    return code;
}

static int encode(const struct batch_options *o, const char *path)
{
    struct buffer in;
    buffer_init(&in, LIMIT_CLIENT_ANSWER + READ_BYTES);
    struct json_object *document =
        read_file(&in, path) && in.n > 0 ? doc_parse(buffer_bytes(&in)) : NULL;
    buffer_free(&in);
    if (!json_object_is_type(document, json_type_object)) {
        json_object_put(document);
        return cli_fail(CLI_USAGE, "batch encode: %s: cannot be read, or is no JSON object", path);
    }
    int code = make(o, document, path);
    json_object_put(document);
    return code;
}

int cmd_batch(int argc, char **argv)
{
    struct batch_options o = {.kind = "payload", .compression = "same", .chain_id = 41197,
                              .block_time = 2, .quality = OWN_QUALITY,
                              .frame_size = CALLDATA_FRAME};
    struct words words = {.n = 0};
    const struct option table[] = {
        {"kind", OPTION_CHOICE, &o.kind, "payload|frames|channel|batches|blob", 0, 0,
         "which layer the bytes are (payload)"},
        {"genesis", OPTION_TEXT, &o.genesis, "FILE", 0, 0, "chain id and times from there"},
        {"chain-id", OPTION_NUMBER, &o.chain_id, "N", 1, INT64_MAX, "span batches omit it (41197)"},
        {"genesis-time", OPTION_NUMBER, &o.genesis_time, "S", 0, INT64_MAX,
         "what span batches count from (0)"},
        {"block-time", OPTION_NUMBER, &o.block_time, "S", 0, UINT32_MAX,
         "of span batches (2); 0: none of whole seconds"},
        {"binary", OPTION_FLAG, &o.binary, "", 0, 0, "bytes instead of hex"},
        {"compression", OPTION_CHOICE, &o.compression, "same|brotli|zlib", 0, 0,
         "encode: instead of the document's"},
        {"quality", OPTION_NUMBER, &o.quality, "N", 0, OWN_QUALITY - 1,
         "encode: of the compression (brotli 6, zlib 9)"},
        {"frame-size", OPTION_NUMBER, &o.frame_size, "BYTES", FRAME_OVERHEAD + 1,
         LIMIT_BATCH_FRAME + FRAME_OVERHEAD, "encode: the most a frame may be (120000)"},
        {"rebuild", OPTION_FLAG, &o.rebuild, "", 0, 0,
         "encode: from the channels, not from the frames"},
        {"json", OPTION_FLAG, &o.json, "", 0, 0, "decode: JSON on one line"},
    };
    const struct command_line line = {
        "batch", "decode FILE | encode FILE [OPTIONS]",
        "Decodes batches of the OP Stack: hex (`-` is standard input) to JSON with frames, channels,\n"
        "batches, blocks and transactions, and what a verifier would ignore, with the reason.\n"
        "Encodes such JSON: the frames as they stand, or else from the channels.",
        table, sizeof table / sizeof table[0]};
    int code = options_read(&line, argc, argv, &words);
    if (code >= 0) {
        return code;
    }
    const char *what = words.n > 0 ? words.word[0] : "";
    bool decodes = strcmp(what, "decode") == 0;
    if ((!decodes && strcmp(what, "encode") != 0) || words.n != 2) {
        return cli_fail(CLI_USAGE, "batch: expected `decode FILE` or `encode FILE`");
    }
    return decodes ? decode(&o, words.word[1]) : encode(&o, words.word[1]);
}
