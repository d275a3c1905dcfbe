/* The L1 in the node: a thread of its own follows the L1, derives the safe head from what was posted
 * there, and posts what stands in the batch files and is not safe yet. The rest of the node reads
 * how it stands; nothing else is shared.
 *
 *   l1_link     the thread, its loop and the L1 client; what the node sees
 *   l1_read     L1 blocks into derivation, and its state on disk
 *   l1_own      what derivation asks, from the own chain; KZG
 *   l1_post     whose duty it is, and the transactions of the own account (l1_post_parts.h)
 *   l1_mail     letters between the two threads
 *   l1_segment  sealed segments, from DIR/batches;  l1_blob: as they are sent
 *   l1_backlog  those that are not safe;  l1_kzg: the set-up of KZG
 *
 * Errors: enum err with a sentence. Threads: all calls from the node's loop thread. */
#ifndef SEQUENCER_NODE_L1_LINK_H
#define SEQUENCER_NODE_L1_LINK_H

#include "proto/genesis.h"
#include "proto/message.h"
#include "sequencer/node/config.h"
#include "sequencer/node/l1_mail.h"
#include "sequencer/node/posting_make.h"
#include "storage/storage.h"

struct l1_link;

struct l1_link_setup { /* borrowed, outlives the link */
    const struct config *config;
    const struct genesis *genesis;
    const struct epoch_config *epoch;
    struct storage *storage;
    int self;
    const struct secret_key *key; /* the member's: signs intents */
};

/* What the node knows of the others, for who posts (batcher/duty.h). */
struct l1_news {
    int leader;         /* member, or -1: not known, or no quorum is connected */
    uint32_t connected; /* bit i: member i can be reached */
};

/* Intents: transactions shared before they are sent (duty_intent.h). Counters since the start. */
struct l1_sharing {
    const char *duty; /* "ok", or why nothing is posted: "down", "behind", "alarm", "recover" */
    uint64_t held;    /* not final */
    uint64_t made, acked, alone; /* own; heard of by another; sent though nobody answered */
    uint64_t taken, refused, dropped; /* others'; wrong; too many */
    uint64_t pushed;  /* transactions of others, sent for them */
};

/* How it stood at the last look. */
struct l1_standing {
    bool known;         /* a quorum of endpoints agreed on a head once */
    bool down;          /* no new head for a minute */
    bool derived;       /* everything up to that head was read */
    bool behind;        /* far from it, and coming nearer: nothing is late because of that */
    bool posts;         /* there is an account to post from */
    uint64_t head;      /* number of the L1's head */
    uint64_t read;      /* L1 blocks up to here were read */
    struct posting_head safe, finalized;
    uint64_t oldest_ms; /* time of the first block above `safe`; 0: none on this disk */
    uint64_t backlog;   /* sealed segments that are not safe */
    uint64_t backlog_bytes; /* their payloads */
    uint64_t accepted, duplicates; /* postings read since the start */
    bool alarm;         /* what was derived is not what was certified here: nothing is posted */
    uint32_t alarms;    /* enum txm_alarm */
    struct u256 spent;  /* wei, final since the start */
    struct address account;
    char why[POSTING_WHY]; /* what keeps it from posting, or empty */
    struct l1_sharing sharing;
};

/* Opens key, journal and state, and starts the thread. ERR_CONFIG and what files say. */
enum err l1_link_open(struct l1_link **out, const struct l1_link_setup *s, char *why,
                      size_t why_len) MUST_USE;
void l1_link_look(struct l1_link *l, struct l1_standing *out);
void l1_link_tell(struct l1_link *l, const struct l1_news *news);
/* MSG_INTENT and MSG_INTENT_ACK of a member, for the thread. */
void l1_link_hear(struct l1_link *l, int member, const struct message *m);
/* What the thread has to say to members; NULL: nothing. The caller frees it. */
struct l1_letter *l1_link_letter(struct l1_link *l);
/* Waits for the thread's end: what is under way at the L1 is given up. */
void l1_link_close(struct l1_link *l);

/* Where payloads and their envelopes are posted: addresses that the genesis hash gives, which
 * nobody has a key for. */
struct address l1_inbox(const struct epoch_config *c);
struct address l1_auth(const struct epoch_config *c);

#endif
