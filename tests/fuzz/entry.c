/* libFuzzer's door to one target; FUZZ_TARGET is its name. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FUZZ_TARGET(bytes_of(data, size));
    return 0;
}
