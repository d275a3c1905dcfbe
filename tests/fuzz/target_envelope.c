/* Envelopes of batches: one form only. */
#include <stdlib.h>

#include "sequencer/batcher/auth.h"
#include "tests/fuzz/fuzz.h"

static void write_again(struct bytes in, const struct batch_auth *a)
{
    size_t n = (size_t)(a->last - a->first) + 1;
    struct auth_time *time = calloc(n, sizeof *time);
    struct bytes times = a->times;
    uint64_t ms = a->first_ms;
    struct buffer again;
    DEMAND(time != NULL);
    for (size_t i = 0; i < n; i++) {
        DEMAND(auth_next_time(&times, &ms, &time[i]));
    }
    DEMAND(times.n == 0 && !auth_next_time(&times, &ms, &time[0]));
    for (size_t less = 1; less < 4 && less <= a->times.n;
         less++) { /* never more than stand there */
        struct auth_time one;
        size_t got = 0;
        for (times = bytes_of(a->times.p, a->times.n - less); auth_next_time(&times, &ms, &one);) {
            got++;
        }
        DEMAND(got < n);
    }
    buffer_init(&again, in.n);
    DEMAND(auth_encode(&again, a, time) == OK);
    DEMAND(bytes_equal(buffer_bytes(&again), in));
    buffer_free(&again);
    free(time);
}

void fuzz_envelope(struct bytes in)
{
    static struct batch_auth a;
    struct fault fault;
    DEMAND(auth_decode(&a, bytes_of(NULL, 0), &fault) != OK);
    if (auth_decode(&a, in, &fault) != OK) {
        DEMAND(fault.e != OK && fault.at <= in.n && fault.wanted != NULL);
        return;
    }
    write_again(in, &a);
    if (auth_verify(&a, fuzz_epoch()) == OK) { /* what is signed is what stands there */
        a.cert.slot++;
        DEMAND(auth_verify(&a, fuzz_epoch()) != OK);
    }
}
