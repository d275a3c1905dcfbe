/* JSON that json-c would take though RFC 8259 refuses it: single quotes, NaN and Infinity, `1.`,
 * raw control characters and surrogates inside strings; and depth before the tree is built. One
 * pass, no memory; what passes here goes to json-c in its strict mode, which checks the rest. */
#ifndef SEQUENCER_RPC_STRICT_H
#define SEQUENCER_RPC_STRICT_H

#include <stdbool.h>
#include <stddef.h>

bool strict_json(const char *p, size_t n, unsigned max_depth);

#endif
