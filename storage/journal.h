/* The journal in the database, and the rules of a start (CONSENSUS 8): what journal and second
 * record together say. These functions work on the bare store, before the writer runs. */
#ifndef STORAGE_JOURNAL_H
#define STORAGE_JOURNAL_H

#include "storage/keys.h"
#include "storage/kv.h"
#include "storage/safety_file.h"
#include "storage/storage.h"

/* What the database knows. */
struct journal_state {
    uint64_t sequence;    /* of the last step; 0: none */
    uint64_t steps;
    bool amnesiac;        /* marked */
    uint64_t floor_epoch, floor_slot;
    struct safety_record tip; /* as the record of the last step; highest slots of its epoch */
};

/* Why a start is amnesiac. */
enum amnesia_cause {
    AMNESIA_NONE, AMNESIA_MARKED, AMNESIA_NO_RECORD, AMNESIA_BAD_RECORD, AMNESIA_BEHIND_CLEAN,
    AMNESIA_BEHIND, AMNESIA_NEW_JOURNAL
};

/* Reads the whole journal. ERR_CORRUPT: a step does not decode; `*bad` is its sequence. */
enum err journal_read(const struct kv *kv, struct journal_state *out, uint64_t *bad) MUST_USE;

/* The verdict, from the journal and the record (NULL: none valid). Pure. */
enum storage_verdict journal_judge(const struct journal_state *j, const struct safety_record *r,
                                   enum amnesia_cause *cause);

/* Journal one step behind: appends that step's notarize and skip votes; synced. Its finalize
 * votes lost their evidence with the step, and were never sent. */
enum err journal_append_record(const struct kv *kv, const struct safety_record *r) MUST_USE;

/* Appends a step in one synced batch, together with `extra` puts. */
enum err journal_append(const struct kv *kv, const struct journal_step *step,
                        const struct kv_put *extra, size_t extras) MUST_USE;

/* A new member's first record, or that of the last step: identity is the caller's to fill. */
void journal_record_of_step(struct safety_record *r, const struct journal_step *step);

#endif
