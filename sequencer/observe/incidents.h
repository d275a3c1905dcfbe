/* Incidents: one record for each turn that ended by a takeover; what an operator reads the morning
 * after. A bounded ring (LIMIT_INCIDENTS, the oldest is forgotten). Loop thread only. */
#ifndef SEQUENCER_OBSERVE_INCIDENTS_H
#define SEQUENCER_OBSERVE_INCIDENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INCIDENT_NAME = 32, INCIDENT_REASON = 96 };

/* Times are wall clock in Unix milliseconds; 0: not seen by this member. */
struct incident {
    uint64_t number; /* from 0, counts up; filled by incidents_add */
    uint64_t epoch;
    uint64_t turn; /* the turn that ended early */
    uint64_t slot; /* first slot of it without a final block */
    uint8_t from;  /* member index of its leader */
    uint8_t to;    /* and of the leader that went on */
    char from_name[INCIDENT_NAME];
    char to_name[INCIDENT_NAME];
    char reason[INCIDENT_REASON]; /* the word of the certificate: silent, stalled, notice, … */
    char own_reason[INCIDENT_REASON]; /* why this member itself voted to skip, "" if it did not */
    uint64_t started_ms;              /* the last block before it */
    uint64_t skip_signed_ms;          /* own skip vote */
    uint64_t certificate_ms;          /* skip certificate complete here */
    uint64_t proposal_ms;             /* first proposal of the next leader */
    uint64_t final_ms;                /* first final block after it: the incident is over */
    uint64_t gap_ms;                  /* last block before to first final block after */
    uint32_t signers;                 /* members in the skip certificate, bit i = member i */
};

struct incidents;
struct json_object;

struct incidents *incidents_create(void);
void incidents_destroy(struct incidents *s);

/* Opens a record and returns its number. */
uint64_t incidents_add(struct incidents *s, const struct incident *first);
/* The record to complete while it is in the ring; NULL when it was never made or is forgotten. */
struct incident *incidents_at(struct incidents *s, uint64_t number);
/* The record of this turn, newest first; NULL where there is none. */
struct incident *incidents_find_turn(struct incidents *s, uint64_t epoch, uint64_t turn);
/* All that were ever added; the oldest still held is max(0, total - LIMIT_INCIDENTS). */
uint64_t incidents_total(const struct incidents *s);
/* Puts back a record that was stored before a restart, its number kept; in ascending order. */
void incidents_restore(struct incidents *s, const struct incident *stored);

/* As baton_incidents and `baton incidents --json` show it; the caller owns the object. */
struct json_object *incident_json(const struct incident *i);
/* The array [from, from + count); from UINT64_MAX: the latest `count`. */
struct json_object *incidents_json(struct incidents *s, uint64_t from, uint64_t count);

#endif
