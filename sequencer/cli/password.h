/* Passwords come from a file or the terminal, never from the command line or the environment. */
#ifndef SEQUENCER_CLI_PASSWORD_H
#define SEQUENCER_CLI_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/error.h"

enum { PASSWORD_SIZE = 256 };

/* First line of the file, or, `path` NULL, typed at the terminal without echo (`twice`: again, to
 * catch slips). ERR_REFUSED: file readable by others; ERR_CONFIG: none to be had. */
enum err password_read(char out[PASSWORD_SIZE], const char *path, bool twice, char *why,
                       size_t why_len) MUST_USE;

#endif
