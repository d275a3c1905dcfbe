#include "sequencer/cli/address_text.h"

#include "proto/keccak.h"

/* EIP-55: a letter is a capital where the same digit of the hash of the 40 small ones is >= 8. */
void address_text(char out[HEX_SIZE(20)], const struct address *a)
{
    hex_encode(out, a->b, sizeof a->b);
    char *digit = out + 2;
    struct hash h = keccak256(digit, 40);
    for (size_t i = 0; i < 40; i++) {
        unsigned nibble = i % 2 == 0 ? h.b[i / 2] >> 4 : h.b[i / 2] & 15U;
        if (digit[i] >= 'a' && nibble >= 8) {
            digit[i] = (char)(digit[i] - 'a' + 'A');
        }
    }
}
