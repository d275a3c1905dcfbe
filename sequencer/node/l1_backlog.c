/* What is sealed and not safe on the L1: counted from the files alone, so that it is known while the
 * L1 is down, and to members that have no account to post from. */
#include <stdlib.h>

#include "sequencer/node/l1_parts.h"

enum { HELD = LIMIT_DUTY_SEGMENTS, AT_ONCE = 64 };

struct l1_backlog {
    const char *dir;
    uint64_t safe; /* as of the last look */
    uint64_t next; /* first block of the segment to be looked for */
    struct {
        uint64_t last;
        size_t payload;
    } segment[HELD]; /* a ring: */
    uint64_t oldest, newest;
    uint64_t bytes;
};

static void begin_at(struct l1_backlog *b, uint64_t safe)
{
    b->next = safe + 1;
    b->oldest = b->newest;
    b->bytes = 0;
}

static void drop_safe(struct l1_backlog *b, uint64_t safe)
{
    while (b->oldest < b->newest && b->segment[b->oldest % HELD].last <= safe) {
        b->bytes -= b->segment[b->oldest++ % HELD].payload;
    }
    if (safe >= b->next) {
        begin_at(b, safe);
    }
}

static bool take(struct l1_backlog *b)
{
    struct l1_segment s;
    if (b->newest - b->oldest == HELD || l1_segment_read(b->dir, b->next, &s) != OK) {
        return false;
    }
    b->segment[b->newest % HELD].last = s.last;
    b->segment[b->newest % HELD].payload = s.payload;
    b->newest++;
    b->bytes += s.payload;
    b->next = s.last + 1;
    return true;
}

void l1_backlog_look(struct l1_backlog *b, uint64_t safe, struct l1_standing *out)
{
    if (safe < b->safe) {
        begin_at(b, safe); /* the L1 took postings back */
    }
    b->safe = safe;
    drop_safe(b, safe);
    for (int i = 0; i < AT_ONCE && take(b); i++) {
    }
    out->backlog = b->newest - b->oldest;
    out->backlog_bytes = b->bytes;
}

enum err l1_backlog_open(struct l1_backlog **out, const char *dir)
{
    struct l1_backlog *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return ERR_NO_MEMORY;
    }
    b->dir = dir;
    begin_at(b, 0);
    *out = b;
    return OK;
}

void l1_backlog_close(struct l1_backlog *b)
{
    free(b);
}
