/* The consensus core under a script of events: peers that lie, disks that are slow, clients that
 * err. An oracle (core_oracle.h) looks at every step; every 16th script runs twice, and both runs
 * must end in the same state. */
#include "tests/fuzz/core_act.h"

enum { ACTS = 160 };

static struct hash run(struct bytes script)
{
    static struct core_run r;
    core_run_start(&r, script_u8(&script));
    for (int i = 0; i < ACTS && script.n > 0; i++) {
        core_run_act(&r, &script);
    }
    struct hash digest = core_digest(r.core);
    core_run_end(&r);
    return digest;
}

void fuzz_core(struct bytes in)
{
    struct hash one = run(in);
    if (in.n % 16 == 1) {
        struct hash two = run(in);
        DEMAND(hash_equal(&one, &two));
    }
}
