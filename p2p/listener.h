/* The socket that peers dial. Made without the loop, so that a port in use is known before
 * anything else exists. */
#ifndef P2P_LISTENER_H
#define P2P_LISTENER_H

#include <uv.h>

#include "proto/error.h"

/* A bound socket for `endpoint` (host:port); waits for the resolver where host is a name.
 * ERR_CONFIG: not host:port, or unknown host. ERR_IN_USE, ERR_IO. `why` gets one sentence. */
enum err listener_bind(int *fd, uv_loop_t *loop, const char *endpoint, char *why,
                       size_t why_len) MUST_USE;

#endif
