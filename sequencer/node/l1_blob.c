/* Segments as they are sent. What stands in the files is the form of calldata; in blobs the same
 * channel is cut otherwise, and the envelope names the blobs' hashes instead of the payload's. */
#include <stdlib.h>

#include "sequencer/node/l1_parts.h"

enum { LOAD_MAX = 1 << 26 };

void l1_load_init(struct l1_load *l)
{
    *l = (struct l1_load){.blobs = {.blobs = 0}};
    buffer_init(&l->data[0], LOAD_MAX);
    buffer_init(&l->data[1], LOAD_MAX);
}

void l1_load_free(struct l1_load *l)
{
    buffer_free(&l->data[0]);
    buffer_free(&l->data[1]);
    blob_posting_free(&l->blobs);
    l1_load_init(l);
}

/* What the payload's frames hold, put together. */
static enum err take_content(struct buffer *content, struct channel_id *id, struct bytes payload)
{
    struct fault fault;
    size_t n;
    TRY(payload_count(payload, &n, &fault));
    struct frame *frame = n == 0 ? NULL : calloc(n, sizeof *frame);
    if (frame == NULL) {
        return n == 0 ? ERR_MALFORMED : ERR_NO_MEMORY;
    }
    payload_split(payload, frame, n);
    for (size_t i = 0; i < n; i++) {
        buffer_put_bytes(content, frame[i].data);
    }
    *id = frame[0].id;
    free(frame);
    return content->bad;
}

static enum err commit_all(struct blob_posting *p, const struct kzg *kzg)
{
    for (size_t i = 0; i < p->blobs; i++) {
        TRY(blob_posting_commit(p, kzg, i));
    }
    return OK;
}

enum err l1_load_prove(struct l1_load *l, const struct kzg *kzg)
{
    for (; l->proved < l->blobs.blobs; l->proved++) {
        TRY(blob_posting_prove(&l->blobs, kzg, l->proved));
    }
    return OK;
}

static enum err cut(struct l1_load *l, struct bytes payload, const struct kzg *kzg)
{
    struct buffer content;
    struct channel_id id;
    buffer_init(&content, LOAD_MAX);
    enum err e = take_content(&content, &id, payload);
    e = e == OK ? blob_posting_cut(&l->blobs, WRAPPER_7594, &id, buffer_bytes(&content)) : e;
    buffer_free(&content);
    return e == OK ? commit_all(&l->blobs, kzg) : e;
}

static enum err take_times(struct auth_time *time, const struct batch_auth *a)
{
    struct bytes rest = a->times;
    uint64_t ms = a->first_ms;
    for (uint64_t i = 0; i <= a->last - a->first; i++) {
        if (i == LIMIT_SEGMENT_BLOCKS || !auth_next_time(&rest, &ms, &time[i])) {
            return ERR_MALFORMED;
        }
    }
    return OK;
}

/* The same envelope about other bytes. */
static enum err commit(struct buffer *out, struct bytes envelope, const struct hash *commitment)
{
    struct fault fault;
    struct batch_auth *a = malloc(sizeof *a);
    struct auth_time *time = malloc(LIMIT_SEGMENT_BLOCKS * sizeof *time);
    enum err e = a == NULL || time == NULL ? ERR_NO_MEMORY : auth_decode(a, envelope, &fault);
    e = e == OK ? take_times(time, a) : e;
    if (e == OK) {
        a->commitment = *commitment;
        e = auth_encode(out, a, time);
    }
    free(time);
    free(a);
    return e;
}

static enum err into_blobs(struct l1_load *l, const struct kzg *kzg)
{
    struct buffer envelope;
    TRY(cut(l, buffer_bytes(&l->data[0]), kzg));
    struct hash commitment = blob_posting_commitment(&l->blobs);
    buffer_init(&envelope, LOAD_MAX);
    enum err e = commit(&envelope, buffer_bytes(&l->data[1]), &commitment);
    buffer_clear(&l->data[0]);
    buffer_put_bytes(&l->data[0], buffer_bytes(&envelope));
    buffer_free(&envelope);
    return e == OK ? l->data[0].bad : e;
}

enum err l1_load_make(struct l1_load *l, const char *dir, uint64_t first, const struct kzg *kzg)
{
    l1_load_free(l);
    enum err e = l1_segment_bytes(dir, first, &l->data[0], &l->data[1]);
    return e == OK && kzg != NULL ? into_blobs(l, kzg) : e;
}

enum err l1_load_zeros(struct l1_load *l, const struct kzg *kzg)
{
    static const struct channel_id none;
    l1_load_free(l);
    TRY(blob_posting_cut(&l->blobs, WRAPPER_7594, &none, bytes_of("", 1)));
    memset(l->blobs.blob[0], 0, BLOB_BYTES);
    return commit_all(&l->blobs, kzg);
}
