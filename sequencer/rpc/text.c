#include "sequencer/rpc/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEEP_BYTES = 4096 };

void text_free(struct text *t)
{
    free(t->p);
    *t = (struct text){0};
}

void text_clear(struct text *t)
{
    if (t->cap > KEEP_BYTES || t->failed) {
        text_free(t);
        return;
    }
    t->n = 0;
}

/* Room for `n` more bytes at the end, or NULL. */
static char *text_room(struct text *t, size_t n)
{
    if (t->failed || n > SIZE_MAX / 4) {
        t->failed = true;
        return NULL;
    }
    if (n > t->cap - t->n) {
        size_t cap = t->cap + t->cap / 2 + n + 64;
        char *grown = realloc(t->p, cap);
        if (grown == NULL) {
            t->failed = true;
            return NULL;
        }
        t->p = grown;
        t->cap = cap;
    }
    return t->p + t->n;
}

void text_put(struct text *t, const void *p, size_t n)
{
    char *room = n > 0 ? text_room(t, n) : NULL;
    if (room != NULL) {
        memcpy(room, p, n);
        t->n += n;
    }
}

void text_str(struct text *t, const char *s)
{
    text_put(t, s, strlen(s));
}

void text_format(struct text *t, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n > 0) {
        text_put(t, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
    }
}

void text_u64(struct text *t, uint64_t v)
{
    char digits[20];
    size_t n = sizeof digits;
    do {
        digits[--n] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    text_put(t, digits + n, sizeof digits - n);
}

static const char hex_digit[] = "0123456789abcdef";

void text_quantity(struct text *t, uint64_t v)
{
    char out[20] = "\"0x";
    size_t n = 3;
    unsigned shift = 60;
    while (shift > 0 && v >> shift == 0) {
        shift -= 4;
    }
    for (;; shift -= 4) {
        out[n++] = hex_digit[v >> shift & 15];
        if (shift == 0) {
            break;
        }
    }
    out[n++] = '"';
    text_put(t, out, n);
}

void text_quantity_u256(struct text *t, const struct u256 *v)
{
    char hex[U256_HEX_SIZE];
    u256_to_hex(hex, v);
    TEXT_LITERAL(t, "\"");
    text_str(t, hex);
    TEXT_LITERAL(t, "\"");
}

void text_hex(struct text *t, const void *p, size_t n)
{
    char *out = text_room(t, 2 * n + 4);
    if (out == NULL) {
        return;
    }
    const uint8_t *in = p;
    *out++ = '"';
    *out++ = '0';
    *out++ = 'x';
    for (size_t i = 0; i < n; i++) {
        *out++ = hex_digit[in[i] >> 4];
        *out++ = hex_digit[in[i] & 15];
    }
    *out = '"';
    t->n += 2 * n + 4;
}

void text_hash(struct text *t, const struct hash *h)
{
    text_hex(t, h->b, sizeof h->b);
}

void text_address(struct text *t, const struct address *a)
{
    text_hex(t, a->b, sizeof a->b);
}

size_t text_utf8(const char *p, size_t n)
{
    unsigned char first = (unsigned char)p[0];
    unsigned char second = n > 1 ? (unsigned char)p[1] : 0;
    size_t len = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (len == 0 || len > n || first > 0xf4) {
        return 0;
    }
    /* Longer than needed, surrogates, beyond U+10FFFF: the second byte tells. */
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if (((unsigned char)p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

void text_json(struct text *t, const char *p, size_t n)
{
    TEXT_LITERAL(t, "\"");
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)p[i];
        size_t len = text_utf8(&p[i], n - i);
        if (c == '"' || c == '\\') {
            char pair[2] = {'\\', (char)c};
            text_put(t, pair, 2);
        } else if (c < 0x20 || c == 0x7f) {
            text_format(t, "\\u%04x", c);
        } else if (len > 0) {
            text_put(t, &p[i], len);
        } else {
            TEXT_LITERAL(t, "?"); /* a sequence that was cut, or never was one */
        }
        i += len > 0 ? len : 1;
    }
    TEXT_LITERAL(t, "\"");
}

void text_item(struct text *t)
{
    char last = t->n > 0 ? t->p[t->n - 1] : '[';
    if (last != '[' && last != '{' && last != ':') {
        TEXT_LITERAL(t, ",");
    }
}

void text_key(struct text *t, const char *key)
{
    text_item(t);
    TEXT_LITERAL(t, "\"");
    text_str(t, key);
    TEXT_LITERAL(t, "\":");
}

void text_key_quantity(struct text *t, const char *key, uint64_t v)
{
    text_key(t, key);
    text_quantity(t, v);
}

void text_key_u256(struct text *t, const char *key, const struct u256 *v)
{
    text_key(t, key);
    text_quantity_u256(t, v);
}

void text_key_hash(struct text *t, const char *key, const struct hash *h)
{
    text_key(t, key);
    text_hash(t, h);
}

void text_key_address(struct text *t, const char *key, const struct address *a)
{
    text_key(t, key);
    text_address(t, a);
}

void text_key_raw(struct text *t, const char *key, const char *json)
{
    text_key(t, key);
    text_str(t, json);
}
