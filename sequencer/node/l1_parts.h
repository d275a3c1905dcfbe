/* What the files l1_*.c share; everything here belongs to the thread of the L1. */
#ifndef SEQUENCER_NODE_L1_PARTS_H
#define SEQUENCER_NODE_L1_PARTS_H

#include "sequencer/batcher/auth.h"
#include "sequencer/batcher/blob_posting.h"
#include "sequencer/node/l1_link.h"
#include "sequencer/node/l1_read.h"

enum { L1_DIR = CONFIG_TEXT + 32, L1_WHY = 512 };

/* ---- l1_segment.c ---------------------------------------------------------------------------- */

/* A sealed segment as it stands in DIR/batches. */
struct l1_segment {
    uint64_t no, first, last, first_ms;
    uint8_t proposer; /* of its last block */
    size_t payload;   /* bytes */
    struct hash last_hash, root;
    struct channel_id channel;
};

/* The segment that begins with block `first`; its payload is not read. ERR_NOT_FOUND: none is
 * sealed there yet. */
enum err l1_segment_read(const char *dir, uint64_t first, struct l1_segment *out) MUST_USE;
/* Its two files, appended. */
enum err l1_segment_bytes(const char *dir, uint64_t first, struct buffer *payload,
                          struct buffer *envelope) MUST_USE;

/* ---- l1_backlog.c ---------------------------------------------------------------------------- */

struct l1_backlog;
/* `dir` is borrowed. */
enum err l1_backlog_open(struct l1_backlog **out, const char *dir) MUST_USE;
/* Sealed segments above `safe`, and their payloads, into `out`. Some at a time after a start. */
void l1_backlog_look(struct l1_backlog *b, uint64_t safe, struct l1_standing *out);
void l1_backlog_close(struct l1_backlog *b);

/* ---- l1_kzg.c -------------------------------------------------------------------------------- */

/* The set-up, loaded once: begun at the first call of l1_kzg_get, ERR_NOT_READY for the 2 s that it
 * takes, after that as kzg_load. One thread asks. */
struct l1_kzg;
enum err l1_kzg_open(struct l1_kzg **out) MUST_USE;
enum err l1_kzg_get(struct l1_kzg *k, const struct kzg **out) MUST_USE;
void l1_kzg_close(struct l1_kzg *k); /* waits for a load under way */

/* What this thread does may wait where the cores are busy with consensus. */
enum { L1_NICE = 10 };
void l1_yield_cores(void);

/* ---- l1_own.c -------------------------------------------------------------------------------- */

struct l1_own;
enum err l1_own_open(struct l1_own **out, const struct l1_link_setup *s) MUST_USE;
void l1_own_close(struct l1_own *o);
/* Borrows `o`. */
struct derive_setup l1_own_setup(struct l1_own *o, const struct derive_ref *start);
/* With the time of that block, where it is on this disk. */
struct posting_head l1_own_head(struct l1_own *o, const struct safe_row *row);
/* Asked for at the start where blobs are posted. ERR_NOT_READY: being loaded; errors of kzg_load. */
enum err l1_own_kzg(struct l1_own *o, const struct kzg **out) MUST_USE;

/* ---- l1_blob.c ------------------------------------------------------------------------------- */

/* A segment as it is sent: data of each transaction, and the blobs. */
struct l1_load {
    struct buffer data[2];     /* calldata: payload, envelope; blob: the envelope */
    struct blob_posting blobs; /* blob only; committed to, */
    size_t proved;             /* and so many of them proved */
};
void l1_load_init(struct l1_load *l);
void l1_load_free(struct l1_load *l);
/* `kzg` NULL: as calldata. ERR_TOO_LARGE: more blobs than a transaction takes; ERR_NOT_FOUND. */
enum err l1_load_make(struct l1_load *l, const char *dir, uint64_t first, const struct kzg *kzg)
    MUST_USE;
/* The proofs, before it is sent: 0.4 s a blob. What only checks another's hashes needs none. */
enum err l1_load_prove(struct l1_load *l, const struct kzg *kzg) MUST_USE;
/* The one blob of zeros that a cancellation carries. */
enum err l1_load_zeros(struct l1_load *l, const struct kzg *kzg) MUST_USE;

/* ---- l1_post.c ------------------------------------------------------------------------------- */

struct l1_post;
struct l1_post_setup {
    struct l1 l1;
    const struct l1_link_setup *node;
    struct l1_read *read;
    struct l1_own *own;
    uint64_t l1_chain_id;
    struct l1_box *out; /* letters to members */
    struct l1_news (*news)(void *link);
    void *link;
};

/* Without a poster's key file there is nothing to do: OK, and *out NULL. */
enum err l1_post_open(struct l1_post **out, const struct l1_post_setup *s, char *why,
                      size_t why_len) MUST_USE;
/* After a head was read, and every second. */
void l1_post_look(struct l1_post *p, uint64_t now_ms);
/* What a member says. Every byte of it is unproved. */
void l1_post_hear(struct l1_post *p, const struct l1_letter *l);
void l1_post_stand(const struct l1_post *p, struct l1_standing *out);
void l1_post_close(struct l1_post *p); /* after the L1 client was closed */

#endif
