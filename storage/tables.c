#define _GNU_SOURCE
#include "storage/internal.h"

#include <stdlib.h>

/* The opaque tables of the trades above, and how every read of one value is done. */

/* ---- reads ----------------------------------------------------------------------------------- */

enum err storage_read_begin(struct storage *s)
{
    pthread_rwlock_rdlock(&s->kv_lock);
    if (s->kv_open) {
        return OK;
    }
    pthread_rwlock_unlock(&s->kv_lock);
    return ERR_IO;
}

void storage_read_end(struct storage *s)
{
    pthread_rwlock_unlock(&s->kv_lock);
}

static enum err read_value(struct storage *s, enum family family, struct bytes key, uint8_t **out,
                           size_t *n)
{
    TRY(storage_read_begin(s));
    enum err e = s->kv.get(s->kv.ctx, (uint32_t)family, key, out, n);
    storage_read_end(s);
    return e;
}

static enum err grow(struct storage_buffer *buf, size_t more)
{
    size_t need = buf->n + more;
    if (need <= buf->cap && buf->p != NULL) {
        return OK;
    }
    uint8_t *p = realloc(buf->p, need > 0 ? need : 1);
    if (p == NULL) {
        return ERR_NO_MEMORY;
    }
    buf->p = p;
    buf->cap = need;
    return OK;
}

enum err storage_read_append(struct storage *s, enum family family, struct bytes key,
                             struct storage_buffer *buf)
{
    uint8_t *value = NULL;
    size_t n = 0;
    TRY(read_value(s, family, key, &value, &n));
    enum err e = grow(buf, n);
    if (e == OK && n > 0) {
        memcpy(buf->p + buf->n, value, n);
        buf->n += n;
    }
    free(value);
    return e;
}

enum err storage_read_small(struct storage *s, enum family family, struct bytes key, uint8_t *out,
                            size_t cap, size_t *out_n)
{
    uint8_t *value = NULL;
    TRY(read_value(s, family, key, &value, out_n));
    enum err e = *out_n <= cap ? OK : ERR_CORRUPT;
    if (e == OK) {
        memcpy(out, value, *out_n);
    }
    free(value);
    return e;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static enum family family_of(enum storage_table t)
{
    return t == TABLE_POOL ? FAMILY_POOL : FAMILY_TABLES;
}

static bool is_table(enum storage_table t)
{
    return t >= TABLE_STATE && t < TABLE_COUNT;
}

static enum err check_puts(const struct storage_put *puts, size_t n, size_t *bytes)
{
    *bytes = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_table(puts[i].table) || puts[i].key.n > LIMIT_STORAGE_KEY ||
            puts[i].value.n > LIMIT_STORAGE_BYTES) {
            return ERR_TOO_LARGE;
        }
        *bytes += 1 + puts[i].key.n + puts[i].value.n;
    }
    return *bytes <= LIMIT_STORAGE_BYTES ? OK : ERR_TOO_LARGE;
}

enum err storage_submit_puts(struct storage *s, const struct storage_put *puts, size_t n,
                             bool sync, uint64_t token)
{
    size_t bytes = 0;
    TRY(check_puts(puts, n, &bytes));
    struct op *op = op_new(n, bytes);
    if (op == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        op_put_tagged(op, family_of(puts[i].table), (uint8_t)puts[i].table, puts[i].key,
                      puts[i].value, puts[i].erase);
    }
    op->sync = sync;
    op->report = token != 0 ? OP_TOKEN : OP_SILENT;
    op->value = token;
    return storage_hand_over(s, op);
}

static enum err table_key(uint8_t out[KEY_TABLE_MAX], struct bytes *full, enum storage_table t,
                          struct bytes key)
{
    if (!is_table(t) || key.n > LIMIT_STORAGE_KEY) {
        return ERR_TOO_LARGE;
    }
    out[0] = (uint8_t)t;
    if (key.n > 0) {
        memcpy(out + 1, key.p, key.n);
    }
    *full = bytes_of(out, 1 + key.n);
    return OK;
}

enum err storage_get(struct storage *s, enum storage_table t, struct bytes key,
                     struct storage_buffer *buf)
{
    uint8_t raw[KEY_TABLE_MAX];
    struct bytes full;
    TRY(table_key(raw, &full, t, key));
    buf->n = 0;
    return storage_read_append(s, family_of(t), full, buf);
}

static bool has_prefix(struct bytes key, struct bytes prefix)
{
    return key.n >= prefix.n && memcmp(key.p, prefix.p, prefix.n) == 0;
}

enum err storage_walk(struct storage *s, enum storage_table t, struct bytes prefix,
                      bool (*each)(void *arg, struct bytes key, struct bytes value), void *arg)
{
    uint8_t raw[KEY_TABLE_MAX];
    struct bytes full;
    struct bytes key;
    struct bytes value;
    TRY(table_key(raw, &full, t, prefix));
    TRY(storage_read_begin(s));
    enum err e = ERR_NO_MEMORY;
    struct kv_iter *it = s->kv.seek(s->kv.ctx, (uint32_t)family_of(t), full);
    if (it != NULL) {
        while (s->kv.valid(it, &key, &value) && has_prefix(key, full) &&
               each(arg, bytes_of(key.p + 1, key.n - 1), value)) {
            s->kv.next(it);
        }
        e = s->kv.done(it);
    }
    storage_read_end(s);
    return e;
}
