#include "proto/bytes.h"

/* One more than each digit's value; 0: no digit. Transactions come in hex, so this is hot. */
static const uint8_t digit_value[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

static int digit(char c)
{
    return digit_value[(unsigned char)c] - 1;
}

void hex_encode(char *out, const uint8_t *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    *out++ = '0';
    *out++ = 'x';
    for (size_t i = 0; i < n; i++) {
        *out++ = digits[p[i] >> 4];
        *out++ = digits[p[i] & 15];
    }
    *out = '\0';
}

bool hex_decode_upto(uint8_t *out, size_t max, size_t *out_n, const char *text, size_t text_len)
{
    if (text_len >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        text += 2;
        text_len -= 2;
    }
    if (text_len % 2 != 0 || text_len / 2 > max) {
        return false;
    }
    for (size_t i = 0; i < text_len / 2; i++) {
        int high = digit(text[2 * i]);
        int low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    *out_n = text_len / 2;
    return true;
}

bool hex_decode(uint8_t *out, size_t n, const char *text)
{
    size_t got;
    return hex_decode_upto(out, n, &got, text, strlen(text)) && got == n;
}
