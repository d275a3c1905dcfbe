/* A block header as JSON-RPC shows it, believed only after its RLP hashes to its hash: every fork
 * from Frontier to Osaka. A header with fields that this does not know cannot be checked and is
 * refused. Pure. */
#ifndef SEQUENCER_L1_HEADER_H
#define SEQUENCER_L1_HEADER_H

#include "sequencer/web/json.h"
#include "sequencer/l1/l1.h"

/* ERR_MALFORMED: no header. ERR_INVALID_BLOCK: its fields do not hash to its hash. */
enum err header_read(struct l1_header *out, struct json_object *o) MUST_USE;

#endif
