/* A world is made once and set back for every plan: what is large stays mapped. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

#include "proto/keccak.h"
#include "tests/sim/adversary.h"
#include "tests/sim/users.h"

struct sim *sim_new(void)
{
    struct sim *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->heal_most_us = HEAL_MOST_US;
    s->effects = malloc(sizeof *s->effects);
    s->block = calloc(SIM_BLOCKS, sizeof *s->block);
    s->index = calloc((size_t)2 * SIM_BLOCKS, sizeof *s->index);
    s->oracle = oracle_new();
    s->liars = liars_new();
    s->users = users_new();
    bool ok = s->effects != NULL && s->block != NULL && s->index != NULL && s->oracle != NULL &&
              s->liars != NULL && s->users != NULL;
    for (int i = 0; i < SIM_NODES && ok; i++) {
        struct node *n = &s->node[i];
        n->holds = calloc(SIM_BLOCKS, 1);
        n->body_gate = calloc(SIM_BLOCKS, sizeof *n->body_gate);
        n->disk.head = calloc(HEAD_LOG, sizeof *n->disk.head);
        ok = n->holds != NULL && n->body_gate != NULL && n->disk.head != NULL;
    }
    return ok ? s : NULL;
}

static void free_frames(struct sim *s)
{
    while (s->spare_frames != NULL) {
        struct frame *f = s->spare_frames;
        s->spare_frames = f->next;
        message_arena_free(&f->arena);
        free(f->bytes);
        free(f);
    }
}

static void drop_everything(struct sim *s)
{
    for (uint32_t i = 0; i < s->held_n; i++) {
        frame_drop(s, s->held[i].frame);
    }
    s->held_n = 0;
    queue_clear(s);
    for (int i = 0; i < SIM_NODES; i++) {
        steps_close(&s->node[i].steps);
    }
    liars_drop(s);
}

void sim_free(struct sim *s)
{
    drop_everything(s);
    free_frames(s);
    for (int i = 0; i < SIM_NODES; i++) {
        struct node *n = &s->node[i];
        disk_free(n);
        free(n->holds);
        free(n->body_gate);
        if (n->memory != NULL) {
            munmap(n->memory, n->memory_size);
        }
    }
    users_free(s->users);
    liars_free(s->liars);
    oracle_free(s->oracle);
    free(s->heap);
    free(s->held);
    free(s->index);
    free(s->block);
    free(s->effects);
    free(s);
}

static void make_epoch(struct sim *s)
{
    struct epoch_config *c = &s->epoch;
    const struct plan *p = s->plan;
    char why[256];
    memset(c, 0, sizeof *c);
    c->chain_id = 41197;
    c->genesis = keccak256("world", 5);
    c->params = (struct epoch_params){.fault_model = p->fault_model,
                                      .pace = p->pace,
                                      .turn_slots = p->turn_slots,
                                      .depth = p->depth,
                                      .block_time_ms = p->block_time_ms,
                                      .max_interval_ms = p->max_interval_ms,
                                      .execute_before_finalize = p->trusting ? 0 : 1,
                                      .gas_limit = 30000000};
    c->n = p->n;
    for (uint32_t i = 0; i < p->n; i++) {
        struct hash h = keccak256(&i, sizeof i);
        memcpy(c->member[i].address.b, h.b, sizeof c->member[i].address.b);
        c->member[i].weight = p->weight[i];
        c->member[i].name[0] = (char)('A' + (int)i);
        c->member[i].endpoint[0] = 'x';
    }
    if (epoch_config_derive(c, why, sizeof why) != OK) {
        sim_fail(s, SIM_HARNESS, "no epoch: %s", why);
    }
    s->anchor = (struct header){.chain_id = c->chain_id,
                                .genesis = c->genesis,
                                .config = c->hash,
                                .timestamp_ms = 1700000000000 + 1000,
                                .body_root = keccak256("", 0)};
}

static void reset_node(struct sim *s, struct node *n, int index, int member)
{
    struct node keep = *n;
    *n = (struct node){.sim = s,
                       .member = member,
                       .index = index,
                       .memory = keep.memory,
                       .memory_size = keep.memory_size,
                       .holds = keep.holds,
                       .body_gate = keep.body_gate,
                       .disk = keep.disk,
                       .execute_us = s->plan->execute_us,
                       .build_us = s->plan->build_us,
                       .tip = NO_BLOCK};
    disk_reset(s, n);
    memset(n->holds, 0, s->blocks);
    memset(n->body_gate, 0, s->blocks * sizeof *n->body_gate);
    clock_reset(s, n);
}

void sim_reset(struct sim *s, const struct plan *p, struct account *account, FILE *story)
{
    s->end = SIM_PASS;
    s->why[0] = 0;
    s->plan = p;
    s->account = account;
    s->story = story;
    drop_everything(s);
    s->now = SECOND;
    s->order = s->steps = 0;
    s->digest = p->seed;
    s->healing = false;
    s->healthy = p->harms == 0 && p->liars == 0;
    s->forgiven = s->forgot = s->disagreed = 0;
    s->nodes = p->n;
    make_epoch(s);
    for (int i = 0; i < SIM_NODES; i++) {
        int twin = 0;
        while (i >= (int)p->n && twin < (int)p->n && (p->twins >> twin & 1) == 0) {
            twin++;
        }
        bool second = i == (int)p->n && twin < (int)p->n;
        s->nodes += second;
        reset_node(s, &s->node[i], i, second ? twin : i < (int)p->n ? i : 0);
    }
    memset(s->index, 0, (size_t)2 * SIM_BLOCKS * sizeof *s->index);
    s->blocks = 0;
    links_reset(s);
    oracle_reset(s);
    liars_reset(s);
    users_reset(s);
}
