#include "sequencer/cli/suggest.h"

#include <string.h>

enum { WORD = 63 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t bounded_length(const char *s)
{
    return least(strlen(s), WORD);
}

size_t edit_distance(const char *a, const char *b)
{
    size_t rows[3][WORD + 1];
    size_t an = bounded_length(a);
    size_t bn = bounded_length(b);
    for (size_t j = 0; j <= bn; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= an; i++) {
        size_t *now = rows[i % 3];
        const size_t *last = rows[(i - 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= bn; j++) {
            size_t replace = last[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = least(replace, least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = least(now[j], rows[(i - 2) % 3][j - 2] + 1);
            }
        }
    }
    return rows[an % 3][bn];
}

const char *suggest(const char *word, const char *const *words, size_t n)
{
    size_t length = bounded_length(word);
    size_t best = length <= 3 ? 2 : length / 3 + 1;
    const char *found = NULL;
    for (size_t i = 0; i < n; i++) {
        if (length >= 2 && strncmp(word, words[i], length) == 0) {
            return words[i];
        }
        size_t distance = edit_distance(word, words[i]);
        if (distance < best) {
            best = distance;
            found = words[i];
        }
    }
    return found;
}
