/* Inside l1/: the client, its endpoints, and what is being asked of them. */
#ifndef SEQUENCER_L1_PARTS_H
#define SEQUENCER_L1_PARTS_H

#include "sequencer/web/http.h"
#include "sequencer/l1/l1_client.h"
#include "sequencer/l1/quorum.h"
#include "sequencer/web/request.h"

enum { DEAD_FAILURES = 3, VOTE_BYTES = 136 };

struct endpoint {
    struct l1_client *c;
    uint32_t index; /* among its kind; the quorum's for rpc */
    char *url;
    struct l1_endpoint_state state;
    bool of_chain; /* chain id seen since its last failed poll */
    bool dead;
    bool told;          /* that it is bad */
    uint32_t failures;  /* in a row */
    uint64_t fault_ms;  /* last one */
    uint64_t out_ms;    /* left out by the quorum since, 0: not */
    /* poll.c */
    bool polling;
    bool fetching; /* its window's next parent */
    uint64_t poll_at_ms;
    uint64_t polls;
    struct request poll, fetch;
    struct hash fetched;
};

/* ---- ask.c: one question to one or all endpoints --------------------------------------------- */

struct ask;

/* One endpoint's part in it. */
struct leg {
    struct ask *ask;
    struct endpoint *endpoint;
    enum { LEG_UNASKED, LEG_ASKED, LEG_DONE } state;
    bool voted;
    uint8_t vote[VOTE_BYTES];
};

enum heard { HEARD_MORE, HEARD_LAST, HEARD_USELESS };

struct ask {
    struct l1_client *c;
    struct ask *next, *prev;
    struct request request; /* to rpc endpoints, or */
    char *path;             /* to beacon endpoints: appended to their URL */
    bool everybody;         /* else one after the other, the best first */
    size_t max;             /* bytes of an answer */
    struct leg leg[LIMIT_L1_ENDPOINTS];
    uint32_t heard_n, waiting;
    uint32_t absent; /* endpoints that have no such thing */
    uint64_t sent_ms;      /* last */
    uint64_t grace_end_ms; /* 0: fewer than Q have answered */
    bool over, told;
    enum err err;     /* what the caller is told; OK once an answer was the last needed */
    enum err failing; /* what to tell if nothing better comes; ERR_UNREACHABLE at first */
    /* An answer. USELESS: as if it had not come. */
    enum heard (*heard)(struct ask *a, struct endpoint *e, struct answers *r);
    void (*settle)(struct ask *a); /* nobody more will answer: sets `err`. NULL: by default */
    void (*tell)(struct ask *a);   /* the caller */
    void (*drop)(struct ask *a);   /* frees what belongs to the question; NULL: nothing does */
};

/* `size` bytes, of which the first are the ask. NULL: no memory. */
void *ask_make(struct l1_client *c, size_t size, size_t max);
/* Sends it, or, where `known`, tells `err` in the next loop turn. On an error it is dropped. */
enum err ask_start(struct ask *a) MUST_USE;
enum err ask_known(struct ask *a, enum err e) MUST_USE;
void ask_tick(struct ask *a);
void ask_tell_known(struct l1_client *c);
void ask_drop(struct ask *a);
/* Counts equal votes; true: Q endpoints cast this one. */
bool ask_vote(struct ask *a, struct endpoint *e, const void *p, size_t n);

/* ---- the client ------------------------------------------------------------------------------ */

struct l1_client {
    uv_loop_t *loop;
    struct l1_options o;
    struct http *http;
    uv_timer_t tick;
    uv_timer_t soon; /* answers that were known at once */
    struct endpoint rpc[LIMIT_L1_ENDPOINTS];
    struct endpoint beacon[LIMIT_L1_ENDPOINTS];
    struct quorum quorum;
    bool down;
    uint64_t moved_ms; /* head changed */
    uint64_t next_id;
    uint64_t random;
    struct ask *asks;
    uint32_t asking;
    uint32_t closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

static inline uint64_t client_now(const struct l1_client *c)
{
    return uv_now(c->loop);
}

static inline uint64_t client_ids(struct l1_client *c)
{
    c->next_id += REQUEST_CALLS;
    return c->next_id;
}

/* endpoint.c */
void endpoint_name(char *out, size_t size, const char *url);
enum err endpoint_send(struct endpoint *e, const char *path, struct bytes body, size_t max,
                       http_reply_cb cb, void *arg) MUST_USE;
void endpoint_fault(struct endpoint *e, enum web_fault f);
void endpoint_well(struct endpoint *e);
void endpoint_say(struct endpoint *e, bool bad, const char *what);
void endpoint_took(struct endpoint *e, uint32_t ms);
/* Whom to ask first; the smaller, the better. UINT64_MAX: nobody asks it. */
uint64_t endpoint_rank(const struct endpoint *e);

/* poll.c */
void poll_tick(struct endpoint *e);
void poll_decide(struct l1_client *c);
void client_changed(struct l1_client *c); /* view: tells the caller */

/* facts.c, sending.c, fees.c, path.c, reads.c: the rows of the table */
enum err facts_account(void *ctx, const struct l1_ref *at, const struct address *a,
                       l1_account_cb cb, void *arg) MUST_USE;
enum err facts_receipt(void *ctx, const struct hash *tx, l1_receipt_cb cb, void *arg) MUST_USE;
enum err facts_seen(void *ctx, const struct hash *tx, l1_seen_cb cb, void *arg) MUST_USE;
enum err sending_send(void *ctx, struct bytes raw, const struct hash *tx, l1_sent_cb cb,
                      void *arg) MUST_USE;
enum err fees_ask(void *ctx, l1_fees_cb cb, void *arg) MUST_USE;
enum err path_ask(void *ctx, const struct l1_ref *known, size_t known_n, l1_path_cb cb,
                  void *arg) MUST_USE;
enum err reads_block(void *ctx, const struct l1_ref *at, const struct address *to, size_t to_n,
                     l1_block_cb cb, void *arg) MUST_USE;
enum err reads_blobs(void *ctx, const struct l1_header *at, const struct hash *versioned, size_t n,
                     l1_blobs_cb cb, void *arg) MUST_USE;

#endif
