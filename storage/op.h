/* One submitted write: its puts with all their bytes, in one block of memory, and what is to be
 * reported when it is durable. Made on the owner's thread, then owned by the writer. */
#ifndef STORAGE_OP_H
#define STORAGE_OP_H

#include "proto/record.h"
#include "storage/keys.h"
#include "storage/kv.h"

enum op_report { OP_SILENT, OP_STEP, OP_TOKEN };

/* A place in the chain; zeros: none. */
struct op_place {
    uint64_t epoch, slot;
};
enum op_mark { OP_FINAL, OP_FLOOR, OP_MARKS };

struct op {
    struct op *next;
    enum op_report report;
    uint64_t value;               /* step sequence or token */
    uint64_t submitted_us;
    bool sync;
    bool committed;               /* in the database, perhaps not durable */
    bool reported;                /* its failure was */
    struct op_place mark[OP_MARKS]; /* the final head, the floor: durable when this op is */
    struct safety_record *record; /* of a member's step; else NULL */
    size_t cap, used;             /* bytes of `data` */
    size_t max_puts, puts;
    struct kv_put *put;
    uint8_t *data;
};

struct op_list {
    struct op *first, *last;
    size_t n;
};

/* Room for `max_puts` puts with `bytes` bytes of keys and values together. NULL: out of memory. */
struct op *op_new(size_t max_puts, size_t bytes);
void op_free(struct op *op);
/* Bytes that count against LIMIT_STORAGE_BYTES. */
size_t op_bytes(const struct op *op);

/* Copies key and value. The room was asked for in op_new. */
void op_put(struct op *op, enum family family, struct bytes key, struct bytes value);
void op_erase(struct op *op, enum family family, struct bytes key);
/* A put whose value the caller fills: `n` bytes at the returned address. */
uint8_t *op_put_room(struct op *op, enum family family, struct bytes key, size_t n);
/* A key of two parts. */
void op_put_tagged(struct op *op, enum family family, uint8_t tag, struct bytes key,
                   struct bytes value, bool erase);

/* All puts of another one. */
void op_put_all(struct op *op, const struct op *other);

struct op_place op_place_lower(struct op_place a, struct op_place b);
struct op_place op_place_higher(struct op_place a, struct op_place b);

void op_list_push(struct op_list *list, struct op *op);
struct op *op_list_pop(struct op_list *list);
void op_list_free(struct op_list *list);

#endif
