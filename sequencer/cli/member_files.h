/* What a member's folder holds before its first start (INTERFACE 4): key.json with password,
 * admin.token, and the journal whose first record says "never signed" (CONSENSUS 8). */
#ifndef SEQUENCER_CLI_MEMBER_FILES_H
#define SEQUENCER_CLI_MEMBER_FILES_H

#include "proto/genesis.h"
#include "proto/key.h"

/* DIR/password (random, 0600) and DIR/key.json. Never overwrites. */
enum err member_files_key(const char *dir, const struct secret_key *key, bool light, char *why,
                          size_t why_len) MUST_USE;
/* DIR/admin.token: 32 random bytes in hex, 0600. */
enum err member_files_token(const char *dir) MUST_USE;
enum err member_files_read_token(char *out, size_t cap, const char *dir) MUST_USE;
/* First line of a file. */
enum err member_files_read_line(char *out, size_t cap, const char *path) MUST_USE;
/* An empty database and safety record for this member of this chain: for a key that never signed;
 * `lost`: that may have signed, so that it starts amnesiac (CONSENSUS 8). */
enum err member_files_journal(const char *dir, const struct genesis *g,
                              const struct address *member, bool lost, char *why,
                              size_t why_len) MUST_USE;
/* Creates `path` with mode 0600 and this text; ERR_IN_USE when it exists. */
enum err member_files_create(const char *path, const char *text) MUST_USE;

#endif
