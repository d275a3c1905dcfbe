/* Key files: Ethereum keystore v3 JSON, mode 0600, owned by us, no link; passwords in a file. */
#ifndef SEQUENCER_NODE_KEYFILE_H
#define SEQUENCER_NODE_KEYFILE_H

#include "proto/keystore.h"

/* ERR_NOT_FOUND, ERR_REFUSED (readable by others, a link, wrong password), ERR_MALFORMED; `why`
 * says what to do. */
enum err keyfile_read(struct secret_key *out, struct address *address, const char *path,
                      const char *password_path, char *why, size_t why_len) MUST_USE;
/* Never overwrites: ERR_IN_USE. */
enum err keyfile_write(const char *path, const struct secret_key *key, struct bytes password,
                       bool light, char *why, size_t why_len) MUST_USE;
/* Address without the password. */
enum err keyfile_address(struct address *out, const char *path, char *why, size_t why_len) MUST_USE;

#endif
