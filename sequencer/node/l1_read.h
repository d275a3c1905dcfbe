/* Reads an L1 into derivation, block by block, back where the L1 goes back, on from a stored state.
 *
 * Errors of the L1 are waited out: l1_read_pump tries again. Threads: that of the L1 client. */
#ifndef SEQUENCER_NODE_L1_READ_H
#define SEQUENCER_NODE_L1_READ_H

#include "sequencer/batcher/derive.h"
#include "sequencer/l1/l1.h"

struct l1_read;
struct l1_read_setup {
    struct l1 l1;
    struct derive_setup derive;
    const char *state;        /* file that keeps it; NULL: none. Copied */
    void (*moved)(void *arg); /* everything up to the L1's head was read */
    bool (*can_check)(void *arg); /* blobs, now; asked again later. NULL: always */
    void *arg;
};

/* Errors of derive_restore, with the file's name in `why`. */
enum err l1_read_open(struct l1_read **out, const struct l1_read_setup *s, char *why,
                      size_t why_len) MUST_USE;
/* At every new head and every second. */
void l1_read_pump(struct l1_read *r);
/* Everything up to this L1 block was read. */
bool l1_read_is_at(const struct l1_read *r, const struct l1_ref *head);
void l1_read_heads(struct l1_read *r, uint64_t l1_final, struct derive_heads *out);
const struct derive *l1_read_derive(const struct l1_read *r);
void l1_read_close(struct l1_read *r);

/* NUMBER:HASH of the L1 block before the first that is read. ERR_CONFIG. */
enum err l1_read_start(const char *text, struct derive_ref *out, char *why, size_t why_len)
    MUST_USE;

#endif
