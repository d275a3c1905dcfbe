#include "storage/op.h"

#include <stdlib.h>

struct op *op_new(size_t max_puts, size_t bytes)
{
    size_t front = sizeof(struct op) + max_puts * sizeof(struct kv_put);
    struct op *op = malloc(front + bytes);
    if (op == NULL) {
        return NULL;
    }
    memset(op, 0, front);
    op->max_puts = max_puts;
    op->cap = bytes;
    op->put = (struct kv_put *)(void *)(op + 1);
    op->data = (uint8_t *)(op->put + max_puts);
    return op;
}

void op_free(struct op *op)
{
    if (op != NULL) {
        free(op->record);
        free(op);
    }
}

size_t op_bytes(const struct op *op)
{
    return sizeof *op + op->max_puts * sizeof(struct kv_put) + op->cap +
           (op->record != NULL ? sizeof *op->record : 0);
}

static struct bytes copy(struct op *op, struct bytes b)
{
    uint8_t *at = op->data + op->used;
    if (b.n > 0) {
        memcpy(at, b.p, b.n);
    }
    op->used += b.n;
    return bytes_of(at, b.n);
}

static struct kv_put *next_put(struct op *op, enum family family)
{
    struct kv_put *p = &op->put[op->puts++];
    p->family = (uint32_t)family;
    return p;
}

void op_put(struct op *op, enum family family, struct bytes key, struct bytes value)
{
    struct kv_put *p = next_put(op, family);
    p->key = copy(op, key);
    p->value = copy(op, value);
}

void op_erase(struct op *op, enum family family, struct bytes key)
{
    struct kv_put *p = next_put(op, family);
    p->key = copy(op, key);
    p->erase = true;
}

uint8_t *op_put_room(struct op *op, enum family family, struct bytes key, size_t n)
{
    struct kv_put *p = next_put(op, family);
    p->key = copy(op, key);
    uint8_t *room = op->data + op->used;
    p->value = bytes_of(room, n);
    op->used += n;
    return room;
}

void op_put_tagged(struct op *op, enum family family, uint8_t tag, struct bytes key,
                   struct bytes value, bool erase)
{
    struct kv_put *p = next_put(op, family);
    struct bytes start = copy(op, bytes_of(&tag, 1));
    p->key = bytes_of(start.p, 1 + copy(op, key).n);
    p->value = copy(op, value);
    p->erase = erase;
}

void op_put_all(struct op *op, const struct op *other)
{
    for (size_t i = 0; i < other->puts; i++) {
        struct kv_put *p = &op->put[op->puts++];
        *p = other->put[i];
        p->key = copy(op, other->put[i].key);
        p->value = copy(op, other->put[i].value);
    }
}

static bool is_below(struct op_place a, struct op_place b)
{
    return a.epoch != b.epoch ? a.epoch < b.epoch : a.slot < b.slot;
}

struct op_place op_place_lower(struct op_place a, struct op_place b)
{
    return is_below(a, b) ? a : b;
}

struct op_place op_place_higher(struct op_place a, struct op_place b)
{
    return is_below(a, b) ? b : a;
}

void op_list_push(struct op_list *list, struct op *op)
{
    op->next = NULL;
    if (list->last == NULL) {
        list->first = op;
    } else {
        list->last->next = op;
    }
    list->last = op;
    list->n++;
}

struct op *op_list_pop(struct op_list *list)
{
    struct op *op = list->first;
    if (op == NULL) {
        return NULL;
    }
    list->first = op->next;
    if (list->first == NULL) {
        list->last = NULL;
    }
    list->n--;
    op->next = NULL;
    return op;
}

void op_list_free(struct op_list *list)
{
    for (struct op *op = op_list_pop(list); op != NULL; op = op_list_pop(list)) {
        op_free(op);
    }
}
