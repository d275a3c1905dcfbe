/* One call to the ledger's thread: what is asked, copied; and the answer. A job belongs to the
 * loop until it is queued, to the thread until it is done, then to the loop again. */
#ifndef SEQUENCER_EXECUTION_LEDGER_JOB_H
#define SEQUENCER_EXECUTION_LEDGER_JOB_H

#include "sequencer/execution/ledger.h"

enum job_kind { JOB_BUILD, JOB_EXECUTE, JOB_FINALIZE, JOB_QUERY };

typedef void (*job_finalized)(void *arg, enum err e);
typedef void (*job_answered)(void *arg, enum err e, const struct ledger_account *acc,
                             const uint8_t *proof, size_t proof_len);

struct ledger_job {
    enum job_kind kind;
    struct ledger_job *next; /* in whichever queue it stands */
    uint64_t asked_ns;
    void *arg;
    union {
        execution_cb executed;
        job_finalized finalized;
        job_answered answered;
    } cb;
    /* The question. */
    struct hash payload;    /* execute: expected; finalize, query: which */
    struct hash state_root; /* execute: expected */
    struct address address; /* query */
    bool latest;            /* query at the final head */
    bool with_proof;
    struct execution_block block;
    struct execution_tx *tx;
    uint8_t *bytes; /* behind block.tx and block.body */
    /* The answer. */
    bool ran;
    enum err err;
    struct execution_result result;
    uint8_t *body;
    uint8_t info[PAYLOAD_INFO_MAX_BYTES];
    char why[256];
    struct ledger_account *changed; /* finalize */
    size_t changed_n;
    size_t changed_cap;
    struct payload_info head; /* the final one, after this call */
    struct payload_info highest;
    struct u256 next_base_fee;     /* above the final head */
    struct ledger_account account; /* query */
    uint8_t *proof;
    size_t proof_len;
};

/* NULL: no memory. `b` may be NULL; what it borrows is copied. */
struct ledger_job *ledger_job_create(enum job_kind kind, const struct execution_block *b,
                                     void *arg);
void ledger_job_free(struct ledger_job *job);
/* On the ledger's thread. */
void ledger_job_run(struct ledger_job *job, struct ledger *l);
/* The answer of a job that will not be run. */
void ledger_job_refuse(struct ledger_job *job, enum err e);

struct ledger_job_queue {
    struct ledger_job *first;
    struct ledger_job *last;
};
void ledger_job_push(struct ledger_job_queue *q, struct ledger_job *job);
struct ledger_job *ledger_job_pop(struct ledger_job_queue *q); /* NULL: empty */

#endif
