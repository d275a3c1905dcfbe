/* What is particular about the TCP socket of a peer. */
#ifndef P2P_SOCKET_H
#define P2P_SOCKET_H

#include <uv.h>

/* No delay for small writes, and little in the kernel that is not yet on its way: what waits there
 * cannot be overtaken by a vote any more. */
void socket_tune(uv_tcp_t *tcp);

/* The address as 16 bytes (IPv4: the first 4) and as text `host:port`. */
void socket_address(uint8_t ip[16], char *text, size_t cap, const struct sockaddr *a);

#endif
