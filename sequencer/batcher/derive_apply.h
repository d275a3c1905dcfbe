/* One posting, judged: is it a run of blocks that a quorum finalized, and do they continue the safe
 * chain? In steps, cheapest first; the caller stops at the first that is not DERIVE_ACCEPTED. */
#ifndef SEQUENCER_BATCHER_DERIVE_APPLY_H
#define SEQUENCER_BATCHER_DERIVE_APPLY_H

#include "proto/limits.h"
#include "sequencer/batcher/auth.h"
#include "sequencer/batcher/derive.h"
#include "sequencer/batcher/segment.h"

/* Memory that one posting after the other uses. */
struct derive_apply {
    const struct derive_setup *setup;
    struct batch_auth auth; /* of the posting */
    struct segment segment;
    struct batch batch;
    struct buffer raw;  /* transactions of one block */
    struct bytes *tx;
    struct buffer blob; /* payloads out of blobs */
};

enum err derive_apply_init(struct derive_apply *a, const struct derive_setup *setup) MUST_USE;
void derive_apply_free(struct derive_apply *a);

/* Form and chain; fills `auth`, which borrows. */
enum derive_verdict derive_read_envelope(struct derive_apply *a, struct bytes envelope);
/* Do its blocks continue the safe chain? No signature is looked at. */
enum derive_verdict derive_judge(const struct derive_apply *a, const struct safe_row *safe);
/* The certificate. */
enum derive_verdict derive_prove(const struct derive_apply *a);

/* The payloads in the blobs of `tx`, each checked against its hash; they borrow from `a`.
 * ERR_CORRUPT: not those blobs; other errors: no verdict. */
enum err derive_take_blobs(struct derive_apply *a, const struct derive_tx *tx,
                           struct bytes part[LIMIT_TX_BLOBS], enum derive_verdict *v) MUST_USE;

/* Opens the payload and executes what lies above the safe head. `setup->keep` or `drop` is the
 * caller's. On ACCEPTED the row's number and hash are filled in. Errors: no verdict. */
enum err derive_run(struct derive_apply *a, const struct safe_row *safe, const struct bytes *part,
                    size_t parts, enum derive_verdict *v, struct safe_row *row) MUST_USE;

#endif
