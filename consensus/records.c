/* The tables of the core: records of slots, turns and blocks, bounded by number (CONSENSUS 10). */
#include "consensus/core.h"

static void stack_fill(uint32_t *stack, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        stack[i] = n - 1 - i;
    }
}

void records_init(struct core *c)
{
    stack_fill(c->slot_free, LIMIT_CORE_RECORDS);
    stack_fill(c->block_free, LIMIT_CORE_RECORDS);
    stack_fill(c->turn_free, LIMIT_CORE_RECORDS);
    stack_fill(c->spill_free, SYSTEM_SPILLS);
    c->spills_free = SYSTEM_SPILLS;
}

static void list_remove(uint32_t *list, uint32_t *n, uint32_t record)
{
    uint32_t i = 0;
    while (list[i] != record) {
        i++;
    }
    list[i] = list[--*n];
}

struct slot_record *slot_find(struct core *c, uint64_t slot)
{
    uint32_t at = 0;
    uint32_t i = index_next(&c->slot_index, slot, &at);
    return i == UINT32_MAX ? NULL : &c->slot[i];
}

bool slot_is_near(const struct core *c, uint64_t slot)
{
    return c->blocks_used == 0 || slot <= c->block[c->root].head.header.slot + NEAR_SLOTS;
}

/* Room in a table: what is far above the root never takes the last places, or a member that is far
 * behind could not take in what leads it back. */
static bool has_room(struct core *c, uint32_t used, uint64_t slot)
{
    bool near = slot_is_near(c, slot);
    if (used < (near ? LIMIT_CORE_RECORDS : LIMIT_CORE_RECORDS - NEAR_RECORDS)) {
        return true;
    }
    if (near) {
        effect_alarm(c, ALARM_RECORDS_FULL, slot, -1);
    }
    return false;
}

struct slot_record *slot_get(struct core *c, uint64_t slot)
{
    struct slot_record *r = slot_find(c, slot);
    if (r != NULL) {
        return r;
    }
    if (!has_room(c, c->slots_used, slot)) {
        return NULL;
    }
    uint32_t i = c->slot_free[LIMIT_CORE_RECORDS - 1 - c->slots_used];
    c->slot_list[c->slots_used++] = i;
    r = &c->slot[i];
    memset(r, 0, sizeof *r);
    r->slot = slot;
    r->own_skip_reason = -1;
    for (int k = 0; k < SLOT_BLOCKS; k++) {
        r->block[k] = NONE;
    }
    index_put(&c->slot_index, slot, i);
    return r;
}

void slot_drop(struct core *c, struct slot_record *r)
{
    uint32_t i = (uint32_t)(r - c->slot);
    index_erase(&c->slot_index, r->slot, i);
    list_remove(c->slot_list, &c->slots_used, i);
    c->slot_free[LIMIT_CORE_RECORDS - 1 - c->slots_used] = i;
}

struct turn_record *turn_find(const struct core *c, uint64_t turn)
{
    uint32_t at = 0;
    uint32_t i = index_next(&c->turn_index, turn, &at);
    return i == UINT32_MAX ? NULL : &c->turn[i];
}

struct turn_record *turn_get(struct core *c, uint64_t turn)
{
    struct turn_record *r = turn_find(c, turn);
    if (r != NULL) {
        return r;
    }
    if (c->turns_used == LIMIT_CORE_RECORDS) {
        effect_alarm(c, ALARM_RECORDS_FULL, turn_first(c, turn), -1);
        return NULL;
    }
    uint32_t i = c->turn_free[LIMIT_CORE_RECORDS - 1 - c->turns_used];
    c->turn_list[c->turns_used++] = i;
    r = &c->turn[i];
    memset(r, 0, sizeof *r);
    r->turn = turn;
    r->own_reason = -1;
    index_put(&c->turn_index, turn, i);
    return r;
}

void turn_drop(struct core *c, struct turn_record *r)
{
    uint32_t i = (uint32_t)(r - c->turn);
    index_erase(&c->turn_index, r->turn, i);
    list_remove(c->turn_list, &c->turns_used, i);
    c->turn_free[LIMIT_CORE_RECORDS - 1 - c->turns_used] = i;
}

static uint64_t block_key(const struct hash *hash)
{
    return load_be64(hash->b);
}

struct block_record *block_find(struct core *c, const struct hash *hash)
{
    uint32_t at = 0;
    uint32_t i;
    while ((i = index_next(&c->block_index, block_key(hash), &at)) != UINT32_MAX) {
        if (hash_equal(&c->block[i].head.hash, hash)) {
            return &c->block[i];
        }
    }
    return NULL;
}

/* Puts `to` where `from` stands in a slot; false: it does not stand there. */
static bool slot_swap(struct slot_record *r, uint32_t from, uint32_t to)
{
    for (int k = 0; k < SLOT_BLOCKS; k++) {
        if (r->block[k] == from) {
            r->block[k] = to;
            return true;
        }
    }
    return false;
}

/* Long sections have few places. One that no certificate needs makes room: a proposal of a passed
 * turn; for the current turn any that is not of it. */
static bool free_spill(struct core *c, uint64_t slot)
{
    uint64_t now = turn_of(c, c->cur);
    bool current = turn_of(c, slot) == now;
    for (uint32_t i = 0; i < c->blocks_used; i++) {
        struct block_record *b = &c->block[c->block_list[i]];
        uint64_t at = b->head.header.slot;
        if (b->spill == 0 || b->notarized) {
            continue;
        }
        if (turn_of(c, at) < now || (current && turn_of(c, at) > now)) {
            slot_swap(slot_find(c, at), (uint32_t)(b - c->block), NONE);
            block_drop(c, b);
            return true;
        }
    }
    return false;
}

/* Copies the system section where it may stay; false: no room. */
static bool keep_system(struct core *c, struct block_record *b, struct bytes system)
{
    uint8_t *to = b->inline_system;
    if (system.n > SYSTEM_INLINE) {
        if (system.n > LIMIT_SYSTEM_BYTES) {
            return false;
        }
        uint32_t spill = c->spill_free[--c->spills_free];
        b->spill = spill + 1;
        to = c->spill + (size_t)spill * LIMIT_SYSTEM_BYTES;
    }
    if (system.n > 0) {
        memcpy(to, system.p, system.n);
    }
    b->head.system = bytes_of(to, system.n);
    return true;
}

struct block_record *block_new(struct core *c, const struct block_head *head)
{
    if (!has_room(c, c->blocks_used, head->header.slot)) {
        return NULL;
    }
    /* Room for a long section is made before a record is chosen: it may free one. */
    if (head->system.n > SYSTEM_INLINE && c->spills_free == 0 &&
        !free_spill(c, head->header.slot)) {
        return NULL;
    }
    uint32_t i = c->block_free[LIMIT_CORE_RECORDS - 1 - c->blocks_used];
    struct block_record *b = &c->block[i];
    memset(b, 0, sizeof *b);
    b->head = *head;
    if (!keep_system(c, b, head->system)) {
        return NULL;
    }
    b->in_use = true;
    b->shown_by = -1;
    c->block_list[c->blocks_used++] = i;
    index_put(&c->block_index, block_key(&head->hash), i);
    return b;
}

struct block_record *block_place(struct core *c, const struct block_head *head)
{
    struct slot_record *r = slot_get(c, head->header.slot);
    struct block_record *b = r == NULL ? NULL : block_new(c, head);
    if (b == NULL || slot_swap(r, NONE, (uint32_t)(b - c->block))) {
        return b;
    }
    block_drop(c, b);
    return NULL;
}

void block_drop(struct core *c, struct block_record *b)
{
    uint32_t i = (uint32_t)(b - c->block);
    if (b->spill != 0) {
        c->spill_free[c->spills_free++] = b->spill - 1;
    }
    b->in_use = false;
    index_erase(&c->block_index, block_key(&b->head.hash), i);
    list_remove(c->block_list, &c->blocks_used, i);
    c->block_free[LIMIT_CORE_RECORDS - 1 - c->blocks_used] = i;
}

void *scratch_take(struct core *c, size_t n)
{
    n = (n + 15u) & ~(size_t)15u;
    if (n > SCRATCH_BYTES - c->scratch_used) {
        c->step_more = true;
        return NULL;
    }
    void *p = c->scratch + c->scratch_used;
    c->scratch_used += n;
    memset(p, 0, n);
    return p;
}

const struct block_head *head_copy(struct core *c, const struct block_head *head)
{
    struct block_head *copy = scratch_take(c, sizeof *copy);
    uint8_t *system = scratch_take(c, head->system.n);
    if (copy == NULL || system == NULL) {
        return NULL;
    }
    *copy = *head;
    memcpy(system, head->system.p, head->system.n);
    copy->system = bytes_of(system, head->system.n);
    return copy;
}
