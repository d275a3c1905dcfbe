#include "sequencer/batcher/derive_memo.h"

#include <stdlib.h>

#include "proto/keccak.h"
#include "proto/limits.h"

enum { MS = 1000 };

struct entry {
    uint64_t height;
    struct hash content;
    struct derive_executed done;
};

struct derive_memo {
    struct derive_forward forward;
    uint64_t first; /* the first height that was ever executed here */
    uint64_t kept;  /* the last one that stands */
    uint64_t tip;   /* executed up to here */
    struct entry entry[LIMIT_DERIVE_MEMO]; /* by height, modulo */
};

enum err derive_memo_open(struct derive_memo **out, uint64_t height,
                          const struct derive_forward *forward)
{
    struct derive_memo *m = calloc(1, sizeof *m);
    *out = m;
    if (m == NULL) {
        return ERR_NO_MEMORY;
    }
    m->forward = *forward;
    m->first = height + 1;
    m->kept = height;
    m->tip = height;
    return OK;
}

void derive_memo_close(struct derive_memo *m)
{
    free(m);
}

static void add_u64(struct keccak *k, uint64_t v)
{
    uint8_t be[8];
    store_be64(be, v);
    keccak_update(k, be, sizeof be);
}

static struct hash content_of(const struct derive_content *b)
{
    struct keccak k;
    struct hash out;
    keccak_init(&k);
    keccak_update(&k, b->parent.b, sizeof b->parent.b);
    keccak_update(&k, b->fee_recipient.b, sizeof b->fee_recipient.b);
    add_u64(&k, b->height);
    add_u64(&k, b->timestamp_ms / MS);
    for (uint32_t i = 0; i < b->txs; i++) {
        add_u64(&k, b->tx[i].n);
        keccak_update(&k, b->tx[i].p, b->tx[i].n);
    }
    keccak_final(&k, &out);
    return out;
}

enum err derive_memo_execute(struct derive_memo *m, const struct derive_content *b,
                             struct derive_executed *out)
{
    struct entry *e = &m->entry[b->height % LIMIT_DERIVE_MEMO];
    struct hash content = content_of(b);
    if (b->height <= m->tip) {
        if (e->height != b->height || b->height < m->first) {
            return ERR_NOT_FOUND;
        }
        *out = e->done;
        return hash_equal(&e->content, &content) ? OK : ERR_INVALID_BLOCK;
    }
    TRY(m->forward.execute(m->forward.ctx, b, out));
    *e = (struct entry){b->height, content, *out};
    m->tip = b->height;
    return OK;
}

void derive_memo_keep(struct derive_memo *m)
{
    if (m->tip > m->kept) {
        m->kept = m->tip;
        m->forward.keep(m->forward.ctx, m->tip,
                        &m->entry[m->tip % LIMIT_DERIVE_MEMO].done.hash);
    }
}

void derive_memo_drop(struct derive_memo *m)
{
    if (m->tip > m->kept) {
        m->tip = m->kept;
        m->forward.drop(m->forward.ctx);
    }
}
