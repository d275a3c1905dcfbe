/* "Did you mean …": the known word nearest to an unknown one. Pure. */
#ifndef SEQUENCER_CLI_SUGGEST_H
#define SEQUENCER_CLI_SUGGEST_H

#include <stddef.h>

/* Insertions, deletions, substitutions and swaps of neighbours, one each. Words above 63
 * characters are compared by their first 63. */
size_t edit_distance(const char *a, const char *b);

/* The nearest of `words`, or one that begins with `word`; NULL where none is near enough (one
 * edit for three letters or fewer, else a third of the letters). */
const char *suggest(const char *word, const char *const *words, size_t n);

#endif
