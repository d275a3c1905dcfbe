#include "sequencer/node/l1_mail.h"

#include <pthread.h>
#include <stdlib.h>

enum { SAME_MOST = LIMIT_INTENT_LETTERS / 4 };

struct l1_box {
    pthread_mutex_t lock; /* of everything below */
    struct l1_letter *first;
    struct l1_letter **end;
    size_t n;
    uint64_t dropped;
};

enum err l1_box_open(struct l1_box **out)
{
    struct l1_box *b = calloc(1, sizeof *b);
    if (b == NULL || pthread_mutex_init(&b->lock, NULL) != 0) {
        free(b);
        return ERR_NO_MEMORY;
    }
    b->end = &b->first;
    *out = b;
    return OK;
}

void l1_box_close(struct l1_box *b)
{
    struct l1_letter *l;
    if (b == NULL) {
        return;
    }
    while ((l = l1_box_take(b)) != NULL) {
        free(l);
    }
    pthread_mutex_destroy(&b->lock);
    free(b);
}

/* One member's flood takes no room from the others. */
static bool has_room(const struct l1_box *b, uint32_t members)
{
    size_t same = 0;
    for (const struct l1_letter *l = b->first; l != NULL; l = l->next) {
        same += l->members == members;
    }
    return b->n < LIMIT_INTENT_LETTERS && same < SAME_MOST;
}

static struct l1_letter *copy_of(const struct l1_letter *like, struct bytes intent)
{
    struct l1_letter *l = malloc(sizeof *l + intent.n);
    if (l != NULL) {
        *l = *like;
        l->next = NULL;
        l->n = intent.n;
        memcpy(l->bytes, intent.p, intent.n);
    }
    return l;
}

bool l1_box_put(struct l1_box *b, const struct l1_letter *like, struct bytes intent)
{
    pthread_mutex_lock(&b->lock);
    struct l1_letter *l = has_room(b, like->members) ? copy_of(like, intent) : NULL;
    if (l != NULL) {
        *b->end = l;
        b->end = &l->next;
        b->n++;
    } else {
        b->dropped++;
    }
    pthread_mutex_unlock(&b->lock);
    return l != NULL;
}

struct l1_letter *l1_box_take(struct l1_box *b)
{
    pthread_mutex_lock(&b->lock);
    struct l1_letter *l = b->first;
    if (l != NULL) {
        b->first = l->next;
        b->end = b->first == NULL ? &b->first : b->end;
        b->n--;
    }
    pthread_mutex_unlock(&b->lock);
    return l;
}

uint64_t l1_box_dropped(struct l1_box *b)
{
    pthread_mutex_lock(&b->lock);
    uint64_t n = b->dropped;
    pthread_mutex_unlock(&b->lock);
    return n;
}
