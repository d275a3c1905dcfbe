/* Derivation asks for blocks again that it had executed, when a reorg of the L1 took their
 * publication back. Who executes with a ledger that only goes forward puts this in between: it
 * remembers what the content of each block was and what came of it, so that the same content gets
 * the same answer and other content is refused, as it would be by who executes for the first time.
 *
 * Content is parent, height, seconds, fee recipient and transactions: what the payload hash of the
 * built-in ledger binds. Pure but for memory. */
#ifndef SEQUENCER_BATCHER_DERIVE_MEMO_H
#define SEQUENCER_BATCHER_DERIVE_MEMO_H

#include "sequencer/batcher/derive.h"

/* As in derive_setup, but each height is asked for once: after `drop` the height after the last
 * block that was kept comes next. */
struct derive_forward {
    void *ctx;
    enum err (*execute)(void *ctx, const struct derive_content *b, struct derive_executed *out);
    void (*keep)(void *ctx, uint64_t height, const struct hash *hash);
    void (*drop)(void *ctx);
};

struct derive_memo;

/* `height`: of the block that `forward` stands on. Remembers the last LIMIT_DERIVE_MEMO blocks. */
enum err derive_memo_open(struct derive_memo **out, uint64_t height,
                          const struct derive_forward *forward) MUST_USE;
void derive_memo_close(struct derive_memo *m);

/* For the three functions of derive_setup. ERR_NOT_FOUND: a height that is not remembered any
 * more; then derive anew from the start. */
enum err derive_memo_execute(struct derive_memo *m, const struct derive_content *b,
                             struct derive_executed *out);
void derive_memo_keep(struct derive_memo *m);
void derive_memo_drop(struct derive_memo *m);

#endif
