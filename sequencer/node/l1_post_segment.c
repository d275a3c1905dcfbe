/* Sealed segments by number, and what they look like when they are sent. */
#include "sequencer/node/l1_post_parts.h"

enum { AT_ONCE = 64 };

/* The first segment that is not derived for good: its file is named by its first block; where what
 * was derived does not end with a segment of ours, all of them are walked. */
static void find_place(struct l1_post *p)
{
    struct derive_heads heads;
    struct l1_segment s = {.last = 0};
    const char *dir = p->s.node->config->dir;
    l1_read_heads(p->s.read, 0, &heads);
    uint64_t final = heads.final.number;
    p->next = final + 1;
    if (l1_segment_read(dir, p->next, &s) == OK || final == 0) {
        p->placed = true;
        return;
    }
    uint64_t first = 1;
    while (l1_segment_read(dir, first, &s) == OK && s.last <= final) {
        first = s.last + 1;
    }
    p->next = first;
    p->placed = s.last >= final;
}

static bool take_segment(struct l1_post *p)
{
    struct l1_segment s;
    if (l1_segment_read(p->s.node->config->dir, p->next, &s) != OK) {
        return false;
    }
    const struct duty_segment d = {.no = s.no, .first = s.first, .last = s.last,
                                   .proposer = s.proposer, .seal_l1 = p->head};
    if (duty_segment_add(p->duty, &d) != OK) {
        return false;
    }
    p->oldest = p->newest == 0 ? s.no : p->oldest;
    p->newest = s.no + 1;
    p->oldest = p->newest - p->oldest > POST_SEGMENTS ? p->newest - POST_SEGMENTS : p->oldest;
    p->segment[s.no % POST_SEGMENTS] = s;
    p->next = s.last + 1;
    return true;
}

bool post_segments_learn(struct l1_post *p)
{
    if (!p->placed) {
        find_place(p);
    }
    for (int i = 0; p->placed && i < AT_ONCE; i++) {
        if (!take_segment(p)) {
            return true;
        }
    }
    return false;
}

const struct l1_segment *post_segment(const struct l1_post *p, uint64_t no)
{
    return no >= p->oldest && no < p->newest ? &p->segment[no % POST_SEGMENTS] : NULL;
}

/* ---- as it is sent --------------------------------------------------------------------------- */

static enum err make_load(struct l1_post *p, uint64_t segment, struct l1_load *out)
{
    const struct kzg *kzg = NULL;
    const struct l1_segment *s = post_segment(p, segment);
    if (p->blobs) {
        TRY(l1_own_kzg(p->s.own, &kzg));
    }
    return segment == TXM_NO_SEGMENT
               ? l1_load_zeros(out, kzg)
               : l1_load_make(out, p->s.node->config->dir, s->first, kzg);
}

enum err post_load(struct l1_post *p, uint64_t segment, struct l1_load **out)
{
    for (size_t i = 0; i < POST_LOADS; i++) {
        if (p->kept[i].used && p->kept[i].segment == segment) {
            *out = &p->kept[i].load;
            return OK;
        }
    }
    if (segment != TXM_NO_SEGMENT && post_segment(p, segment) == NULL) {
        return ERR_NOT_FOUND;
    }
    struct kept_load *k = &p->kept[p->kept_next++ % POST_LOADS];
    k->used = false;
    TRY(make_load(p, segment, &k->load));
    k->used = true;
    k->segment = segment;
    *out = &k->load;
    return OK;
}

enum err post_wrap(struct l1_post *p, uint64_t segment, struct bytes raw,
                   const struct hash *versioned, size_t blobs, struct bytes *out)
{
    const struct kzg *kzg;
    struct l1_load *l;
    TRY(post_load(p, segment, &l));
    if (l->blobs.blobs != blobs ||
        memcmp(l->blobs.versioned, versioned, blobs * sizeof *versioned) != 0) {
        return ERR_REFUSED;
    }
    TRY(l1_own_kzg(p->s.own, &kzg));
    TRY(l1_load_prove(l, kzg));
    struct blob_sidecar sidecar = blob_posting_sidecar(&l->blobs);
    buffer_clear(&p->wrapped);
    TRY(blob_tx_wrap(&p->wrapped, raw, &sidecar));
    *out = buffer_bytes(&p->wrapped);
    return p->wrapped.bad;
}

/* The hashes of the journal are meant: others would be refused. */
enum err post_wrap_own(void *post, const struct txm_send *s, struct bytes *out)
{
    return post_wrap(post, s->payload->segment, s->raw, s->payload->versioned, s->payload->blobs,
                     out);
}
