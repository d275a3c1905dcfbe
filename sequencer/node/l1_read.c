#define _GNU_SOURCE
/* L1 blocks, one after the other, into derivation; its state to disk whenever there is nothing newer
 * to read. */
#include "sequencer/node/l1_read.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sequencer/observe/log.h"

enum { STATE_MAX = 1 << 20, STATE_PATH = 512 };

struct l1_read {
    struct l1_read_setup s;
    struct derive *d;
    char path[STATE_PATH]; /* empty: nothing is kept */
    bool asking;
    struct l1_header ahead[LIMIT_L1_PATH]; /* not read yet, */
    size_t next, n;                        /* from `next` to `n` */
    size_t skip;                           /* known blocks that are gone, all of them */
    struct derive_ref known[LIMIT_DERIVE_HASHES];
    struct derive_tx *tx; /* of the block that is pushed */
    bool lost; /* nothing that is known is on the L1: told */
    uint8_t *blob; /* of transaction `blob_tx` of block `blob_at` */
    const uint8_t *blob_of[LIMIT_TX_BLOBS];
    uint32_t blob_tx, blobs;
    uint64_t blob_at;
    struct l1_header block_at; /* being read */
    uint64_t saved;
};

/* ---- state on disk --------------------------------------------------------------------------- */

static enum err write_state(const char *path, struct bytes state)
{
    char tmp[STATE_PATH + 8];
    snprintf(tmp, sizeof tmp, "%s.tmp", path);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return ERR_IO;
    }
    ssize_t put = write(fd, state.p, state.n);
    bool well = put >= 0 && (size_t)put == state.n && fsync(fd) == 0;
    return close(fd) == 0 && well && rename(tmp, path) == 0 ? OK : ERR_IO;
}

/* An older state is as good, only longer to read on from: a failure is no reason to stop. */
static void save(struct l1_read *r)
{
    uint64_t at = derive_state_of(r->d)->at;
    struct buffer b;
    if (at == r->saved || r->path[0] == '\0') {
        return;
    }
    buffer_init(&b, STATE_MAX);
    derive_save(r->d, &b);
    enum err e = b.bad != OK ? b.bad : write_state(r->path, buffer_bytes(&b));
    if (e != OK) {
        log_write(LOG_WARN, "l1", "the state of derivation cannot be kept", LOG_STR("error", err_text(e)),
                  NULL);
    }
    r->saved = at;
    buffer_free(&b);
}

static enum err read_state(struct l1_read *r, char *why, size_t why_len)
{
    struct fault fault = {.wanted = ""};
    int fd = r->path[0] == '\0' ? -1 : open(r->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return r->path[0] == '\0' || errno == ENOENT ? derive_open(&r->d, &r->s.derive) : ERR_IO;
    }
    uint8_t *p = malloc(STATE_MAX);
    ssize_t n = p == NULL ? -1 : read(fd, p, STATE_MAX);
    close(fd);
    enum err e = n < 0 ? ERR_IO : derive_restore(&r->d, &r->s.derive, bytes_of(p, (size_t)n), &fault);
    free(p);
    if (e != OK) {
        snprintf(why, why_len, "%s: %s; remove it: the L1 is read again from its start", r->path,
                 err_text(e));
    }
    return e;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void on_blobs(void *arg, enum err e, const struct l1_blobs *b)
{
    struct l1_read *r = arg;
    r->asking = false;
    if (e != OK || b->n != r->blobs || b->n > LIMIT_TX_BLOBS) {
        return; /* in a second again */
    }
    free(r->blob);
    r->blob = malloc(b->n * BLOB_BYTES + 1);
    if (r->blob == NULL) {
        return;
    }
    for (size_t i = 0; i < b->n; i++) {
        memcpy(r->blob + i * BLOB_BYTES, b->blob[i], BLOB_BYTES);
        r->blob_of[i] = r->blob + i * BLOB_BYTES;
    }
    r->blob_at = r->block_at.at.number;
    l1_read_pump(r);
}

static void ask_blobs(struct l1_read *r, const struct derive_tx *t)
{
    r->blob_tx = t->index;
    r->blobs = t->blobs;
    r->blob_at = 0;
    const struct l1 *l1 = &r->s.l1;
    if (r->s.can_check != NULL && !r->s.can_check(r->s.arg)) {
        return;
    }
    r->asking = l1->ops->blobs(l1->ctx, &r->block_at, t->versioned, t->blobs, on_blobs, r) == OK;
}

static enum err take_txs(struct l1_read *r, const struct l1_block *b)
{
    struct derive_tx *tx = realloc(r->tx, (b->n + 1) * sizeof *tx);
    if (tx == NULL) {
        return ERR_NO_MEMORY;
    }
    r->tx = tx;
    for (size_t n = 0; n < b->n; n++) {
        const struct l1_tx *t = &b->tx[n];
        r->tx[n] = (struct derive_tx){.index = t->index, .type = t->type, .from = t->from,
                                      .to = t->to, .input = t->input, .versioned = t->versioned,
                                      .blobs = t->blobs};
        bool here = r->blob_at == b->header.at.number && r->blob_tx == t->index;
        r->tx[n].blob = here && r->blob != NULL ? r->blob_of : NULL;
    }
    return OK;
}

static void start_anew(struct l1_read *r)
{
    struct derive *fresh;
    if (derive_open(&fresh, &r->s.derive) == OK) {
        derive_close(r->d);
        r->d = fresh;
    }
}

static void go_back(struct l1_read *r, uint64_t number)
{
    log_write(LOG_WARN, "l1", "the L1 took blocks back", LOG_U64("to", number), NULL);
    if (derive_back(r->d, number) != OK) {
        start_anew(r);
    }
}

/* No block that was read is on the L1 any more, perhaps not even the start: asked again in a second. */
static void get_lost(struct l1_read *r)
{
    if (!r->lost) {
        log_write(LOG_ERROR, "l1", "the L1 holds no block that was read: it is read from l1-start",
                  LOG_U64("l1Start", r->s.derive.start.l1.number), NULL);
    }
    r->lost = true;
    r->skip = 0;
    start_anew(r);
}

/* True: it was taken, and the next may come. */
static bool push(struct l1_read *r, const struct derive_block *in)
{
    switch (derive_push(r->d, in)) {
    case DERIVE_TAKEN:
        return true;
    case DERIVE_BLOBS:
    case DERIVE_BAD_BLOB:
        ask_blobs(r, &r->tx[derive_waits(r->d)]);
        return false;
    case DERIVE_FORK:
    case DERIVE_ORDER:
        r->next = r->n = 0;
        return false;
    case DERIVE_AGAIN:
        break;
    }
    return false;
}

static void on_block(void *arg, enum err e, const struct l1_block *b)
{
    struct l1_read *r = arg;
    r->asking = false;
    if (e == ERR_NOT_FOUND) {
        r->next = r->n = 0; /* it is gone: the way is asked for anew */
    }
    if (e != OK) {
        return;
    }
    struct derive_block in = {.at = {b->header.at.number, b->header.at.hash},
                              .parent = b->header.parent, .n = b->n};
    if (take_txs(r, b) != OK) {
        return;
    }
    in.tx = r->tx;
    r->block_at = b->header;
    if (push(r, &in)) {
        l1_read_pump(r);
    }
}

/* Its header alone says that it holds no transaction: hundreds of those follow on a quiet L1. */
static bool is_empty(const struct l1_header *h)
{
    static const struct hash no_txs = {
        {0x56, 0xe8, 0x1f, 0x17, 0x1b, 0xcc, 0x55, 0xa6, 0xff, 0x83, 0x45, 0xe6, 0x92, 0xc0, 0xf8, 0x6e,
         0x5b, 0x48, 0xe0, 0x1b, 0x99, 0x6c, 0xad, 0xc0, 0x01, 0x62, 0x2f, 0xb5, 0xe3, 0x63, 0xb4, 0x21}};
    return hash_equal(&h->tx_root, &no_txs);
}

static bool take_empty(struct l1_read *r, const struct l1_header *h)
{
    const struct derive_block in = {.at = {h->at.number, h->at.hash}, .parent = h->parent};
    r->block_at = *h;
    return push(r, &in);
}

static void ask_block(struct l1_read *r, const struct l1_header *h)
{
    struct address to[2] = {r->s.derive.inbox, r->s.derive.auth};
    r->block_at = *h;
    const struct l1 *l1 = &r->s.l1;
    r->asking = l1->ops->block(l1->ctx, &h->at, to, 2, on_block, r) == OK;
}

static void on_path(void *arg, enum err e, const struct l1_path *p)
{
    struct l1_read *r = arg;
    size_t have = derive_known(r->d, r->known, LIMIT_DERIVE_HASHES);
    r->asking = false;
    if (e != OK) {
        return;
    }
    size_t asked = have - r->skip < LIMIT_L1_REORG ? have - r->skip : LIMIT_L1_REORG;
    if (p->kept >= asked) {
        r->skip += asked;
        if (r->skip >= have) {
            get_lost(r);
        } else {
            l1_read_pump(r);
        }
        return;
    }
    r->lost = false;
    if (r->skip + p->kept > 0) {
        go_back(r, r->known[r->skip + p->kept].number);
    }
    r->skip = 0;
    r->next = 0;
    r->n = p->n;
    memcpy(r->ahead, p->header, p->n * sizeof *p->header);
    if (r->n > 0) {
        l1_read_pump(r);
        return;
    }
    save(r);
    r->s.moved(r->s.arg);
}

static void ask_path(struct l1_read *r)
{
    struct l1_ref known[LIMIT_L1_REORG];
    size_t n = 0;
    size_t have = derive_known(r->d, r->known, LIMIT_DERIVE_HASHES);
    for (size_t i = r->skip; i < have && n < LIMIT_L1_REORG; i++) {
        known[n++] = (struct l1_ref){r->known[i].number, r->known[i].hash};
    }
    const struct l1 *l1 = &r->s.l1;
    r->asking = n > 0 && l1->ops->path(l1->ctx, known, n, on_path, r) == OK;
}

/* Blocks that were read once and are asked for again, for halves of postings in them. */
static bool ask_old(struct l1_read *r, uint64_t number)
{
    size_t have = derive_known(r->d, r->known, LIMIT_DERIVE_HASHES);
    for (size_t i = 0; i < have; i++) {
        if (r->known[i].number == number) {
            struct l1_header h = {.at = {number, r->known[i].hash}};
            ask_block(r, &h);
            return true;
        }
    }
    return false;
}

/* True: a block was taken without asking for it. */
static bool pump_once(struct l1_read *r)
{
    uint64_t number = derive_next(r->d);
    if (r->asking || derive_alarm(r->d)->raised ||
        (number <= derive_state_of(r->d)->at && ask_old(r, number))) {
        return false;
    }
    while (r->next < r->n && r->ahead[r->next].at.number < number) {
        r->next++;
    }
    if (r->next == r->n || r->ahead[r->next].at.number != number) {
        ask_path(r);
        return false;
    }
    const struct l1_header *h = &r->ahead[r->next];
    if (is_empty(h)) {
        return take_empty(r, h);
    }
    ask_block(r, h);
    return false;
}

void l1_read_pump(struct l1_read *r)
{
    while (pump_once(r)) {
    }
}

/* ---- how it stands --------------------------------------------------------------------------- */

bool l1_read_is_at(const struct l1_read *r, const struct l1_ref *head)
{
    const struct derive_state *s = derive_state_of(r->d);
    return derive_next(r->d) == s->at + 1 && s->at == head->number && s->hashes > 0 &&
           hash_equal(&s->hash[s->hashes - 1], &head->hash);
}

void l1_read_heads(struct l1_read *r, uint64_t l1_final, struct derive_heads *out)
{
    derive_heads(r->d, 0, l1_final, out);
}

const struct derive *l1_read_derive(const struct l1_read *r)
{
    return r->d;
}

/* ---- start and end --------------------------------------------------------------------------- */

enum err l1_read_start(const char *text, struct derive_ref *out, char *why, size_t why_len)
{
    char *end;
    errno = 0;
    out->number = strtoull(text, &end, 10);
    if (end == text || errno != 0 || *end != ':' || !hex_decode(out->hash.b, 32, end + 1)) {
        snprintf(why, why_len, "l1-start '%.90s': expected NUMBER:HASH of an L1 block before the "
                               "first batch, for example 0:0x… of its genesis", text);
        return ERR_CONFIG;
    }
    return OK;
}

enum err l1_read_open(struct l1_read **out, const struct l1_read_setup *s, char *why,
                      size_t why_len)
{
    struct l1_read *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return ERR_NO_MEMORY;
    }
    r->s = *s;
    snprintf(r->path, sizeof r->path, "%s", s->state == NULL ? "" : s->state);
    enum err e = read_state(r, why, why_len);
    if (e != OK) {
        l1_read_close(r);
        return e;
    }
    *out = r;
    return OK;
}

void l1_read_close(struct l1_read *r)
{
    if (r == NULL) {
        return;
    }
    if (r->d != NULL) {
        derive_close(r->d);
    }
    free(r->blob);
    free(r->tx);
    free(r);
}
