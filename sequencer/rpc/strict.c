#include "sequencer/rpc/strict.h"

#include <string.h>

#include "sequencer/rpc/text.h"

/* Skips a string whose opening quote stands before `i`; the place after its closing quote, or 0. */
static size_t string_end(const char *p, size_t n, size_t i)
{
    while (i < n) {
        unsigned char c = (unsigned char)p[i];
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            i++; /* nearly everything */
            continue;
        }
        size_t len = text_utf8(p + i, n - i);
        if (c == '"') {
            return i + 1;
        }
        if (c < 0x20 || len == 0) {
            return 0;
        }
        i += c == '\\' ? 2 : len;
    }
    return 0;
}

/* Length of the literal at `p`, 0 where there is none. */
static size_t literal(const char *p, size_t n)
{
    static const char *const word[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof word / sizeof *word; i++) {
        size_t len = strlen(word[i]);
        if (n >= len && memcmp(p, word[i], len) == 0) {
            return len;
        }
    }
    return 0;
}

static size_t digits(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && p[i] >= '0' && p[i] <= '9') {
        i++;
    }
    return i;
}

/* Length of the number at `p`, 0 where its form is wrong (RFC 8259 6). */
static size_t number(const char *p, size_t n)
{
    size_t i = n > 0 && p[0] == '-';
    size_t whole = digits(p + i, n - i);
    if (whole == 0 || (whole > 1 && p[i] == '0')) {
        return 0;
    }
    i += whole;
    if (i < n && p[i] == '.') {
        size_t part = digits(p + i + 1, n - i - 1);
        if (part == 0) {
            return 0;
        }
        i += 1 + part;
    }
    if (i < n && (p[i] == 'e' || p[i] == 'E')) {
        i += i + 1 < n && (p[i + 1] == '+' || p[i + 1] == '-') ? 2 : 1;
        size_t power = digits(p + i, n - i);
        return power > 0 ? i + power : 0;
    }
    return i;
}

bool strict_json(const char *p, size_t n, unsigned max_depth)
{
    unsigned depth = 0;
    size_t i = 0;
    while (i < n) {
        char c = p[i];
        size_t step = 1;
        if (c == '"') {
            size_t end = string_end(p, n, i + 1);
            step = end > i ? end - i : 0;
        } else if (c == '{' || c == '[') {
            step = ++depth <= max_depth;
        } else if (c == '}' || c == ']') {
            step = depth-- > 0;
        } else if (c == 't' || c == 'f' || c == 'n') {
            step = literal(p + i, n - i);
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            step = number(p + i, n - i);
        } else if (c == 0 || strchr(" \t\r\n,:", c) == NULL) {
            step = 0;
        }
        if (step == 0) {
            return false;
        }
        i += step;
    }
    return depth == 0;
}
