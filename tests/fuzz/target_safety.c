/* The safety record: two slots with whatever stands in them, with right checksums (else nothing
 * would come past them) or as they are; for some inputs then the file of both, which must find the
 * newest valid one. */
#include "proto/keccak.h"
#include "storage/safety_file.h"
#include "tests/fuzz/fuzz.h"

enum { CHECKSUM = 32, CONTENT = SAFETY_SLOT_BYTES - CHECKSUM };

static void fill(uint8_t slot[SAFETY_SLOT_BYTES], struct bytes content, bool sealed)
{
    memset(slot, 0, SAFETY_SLOT_BYTES);
    if (content.n > 0) {
        memcpy(slot, content.p, content.n);
    }
    if (sealed) {
        struct hash sum = keccak256(slot, CONTENT);
        memcpy(slot + CONTENT, sum.b, sizeof sum.b);
    }
}

static bool decode(struct safety_record *out, const uint8_t slot[SAFETY_SLOT_BYTES])
{
    uint8_t again[SAFETY_SLOT_BYTES];
    if (safety_record_decode(out, slot) != OK) {
        return false;
    }
    DEMAND(out->votes <= LIMIT_STEP_VOTES);
    safety_record_encode(again, out);
    DEMAND(memcmp(again, slot, sizeof again) == 0);
    return true;
}

void fuzz_safety(struct bytes in)
{
    uint8_t file[2 * SAFETY_SLOT_BYTES];
    struct safety_record r[2];
    struct safety_file f;
    bool valid[2];
    uint8_t how = script_u8(&in);
    size_t half = (size_t)script_u8(&in) * CONTENT / 255;
    for (int i = 0; i < 2; i++) {
        uint8_t *slot = file + i * SAFETY_SLOT_BYTES;
        fill(slot, script_bytes(&in, i == 0 ? half : CONTENT), (how & 1 << i) == 0);
        valid[i] = decode(&r[i], slot);
    }
    if ((how & 24) != 24) { /* files are slow */
        return;
    }
    struct bytes content = bytes_of(file, (how & 4) == 0 ? sizeof file : SAFETY_SLOT_BYTES + 7);
    valid[1] = valid[1] && content.n == sizeof file;
    DEMAND(safety_file_open(&f, &io_system, fuzz_file("safety", content)) == OK);
    DEMAND(f.found == (valid[0] || valid[1]));
    for (int i = 0; i < 2; i++) {
        DEMAND(!valid[i] || f.newest.sequence >= r[i].sequence);
    }
    safety_file_close(&f);
}
