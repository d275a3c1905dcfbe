/* Checks documents of baton_getCertificate and baton_getReceiptProof with the genesis alone: no
 * network, no trust in whoever made them. Pure but for the signature library. */
#ifndef SEQUENCER_CLI_VERIFY_H
#define SEQUENCER_CLI_VERIFY_H

#include <json-c/json.h>

#include "proto/header.h"
#include "proto/members.h"

/* A quorum of the members signed that `header.block` is final, and the path leads from it down to
 * `*target`. ERR_BAD_CERTIFICATE, ERR_MALFORMED, ERR_WRONG_CHAIN with a sentence in `why`. */
enum err verify_certificate(struct header *target, const struct epoch_config *c,
                            struct json_object *document, char *why, size_t why_len) MUST_USE;

/* The certificate holds, its target block carries that payload, and the transaction stands in it.
 */
enum err verify_receipt(struct header *target, const struct epoch_config *c,
                        struct json_object *document, char *why, size_t why_len) MUST_USE;

#endif
