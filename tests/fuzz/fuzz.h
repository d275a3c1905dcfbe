/* What every fuzz target is made of: a function that takes bytes of a stranger and demands what
 * must hold whatever they are. A demand that fails ends the process, which libFuzzer and the replay
 * both report with the input. Targets are listed in targets.def.
 *
 * A target keeps nothing between two inputs but memory that it may reuse; equal inputs, equal runs.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "proto/bytes.h"
#include "proto/error.h"
#include "proto/members.h"

#define FUZZ(name, decodes) void fuzz_##name(struct bytes in);
#include "tests/fuzz/targets.def"
#undef FUZZ

#define DEMAND(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fuzz_fail(#condition, __FILE__, __LINE__);                                             \
        }                                                                                          \
    } while (0)
_Noreturn void fuzz_fail(const char *what, const char *file, int line);

/* Room of at least `n` bytes, one for all: valid until the next call. */
uint8_t *fuzz_room(size_t n);

/* Reading a script out of the input; zeros behind its end. */
uint8_t script_u8(struct bytes *in);
uint16_t script_u16(struct bytes *in);
/* At most `most` bytes; fewer at the end. */
struct bytes script_bytes(struct bytes *in, size_t most);

/* Four members with the keys 1 … 4, bft, 8 slots a turn. */
const struct epoch_config *fuzz_epoch(void);

/* A private file of this process with these bytes; the same path for the same name. */
const char *fuzz_file(const char *name, struct bytes content);

#endif
