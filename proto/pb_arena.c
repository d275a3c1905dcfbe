#include <stdlib.h>

#include "proto/pb.h"

enum { ALIGN = 16 };

/* Arrays of ours that the counts allow; and pointers, structs and the parser's own lists. */
enum {
    ARRAYS = LIMIT_BUNDLE_CERTS * sizeof(struct certificate) +
             LIMIT_BUNDLE_HEADERS * sizeof(struct block_head) +
             LIMIT_SYNC_BLOCKS * sizeof(struct block) + LIMIT_FRAME_VOTES * sizeof(struct vote) +
             LIMIT_INTAKE_BATCH * sizeof(struct bytes),
    TREE = 131072,
    KEEP = 2097152
};

size_t pb_decode_need(size_t n)
{
    return 2 * n + ARRAYS + TREE;
}

enum err pb_arena_reserve(struct message_arena *a, size_t bytes)
{
    a->used = 0;
    if (a->size >= bytes) {
        return OK;
    }
    message_arena_free(a);
    a->base = malloc(bytes);
    if (a->base == NULL) {
        return ERR_NO_MEMORY;
    }
    a->size = bytes;
    return OK;
}

void *pb_arena_take(struct message_arena *a, size_t n)
{
    size_t left = a->size - a->used;
    if (n > left) {
        return NULL;
    }
    void *p = a->base + a->used;
    size_t rounded = (n + (ALIGN - 1)) & ~(size_t)(ALIGN - 1);
    a->used = rounded < left ? a->used + rounded : a->size;
    return p;
}

static void *allocator_take(void *arena, size_t n)
{
    return pb_arena_take(arena, n);
}

static void allocator_free(void *arena, void *p)
{
    (void)arena;
    (void)p;
}

ProtobufCAllocator pb_arena_allocator(struct message_arena *a)
{
    return (ProtobufCAllocator){allocator_take, allocator_free, a};
}

enum err pb_scratch_open(struct pb_scratch *s, size_t need)
{
    s->arena = (struct message_arena){s->room, sizeof s->room, 0};
    if (need <= sizeof s->room) {
        return OK;
    }
    s->arena = (struct message_arena){0};
    return pb_arena_reserve(&s->arena, need);
}

void pb_scratch_close(struct pb_scratch *s)
{
    if (s->arena.base != s->room) {
        message_arena_free(&s->arena);
    }
}

void message_arena_reset(struct message_arena *arena)
{
    arena->used = 0;
    if (arena->size > KEEP) {
        message_arena_free(arena);
    }
}

void message_arena_free(struct message_arena *arena)
{
    free(arena->base);
    *arena = (struct message_arena){0};
}
