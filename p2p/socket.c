#define _GNU_SOURCE
#include "p2p/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { UNSENT_BYTES = 131072, KEEPALIVE_S = 10 };

void socket_tune(uv_tcp_t *tcp)
{
    int fd = -1;
    int unsent = UNSENT_BYTES;
    uv_tcp_nodelay(tcp, 1);
    uv_tcp_keepalive(tcp, 1, KEEPALIVE_S);
    if (uv_fileno((uv_handle_t *)tcp, &fd) == 0) {
        /* Refused where the kernel does not know it: then only the order gets worse. */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    }
}

static void write_text(char *text, size_t cap, const char *host, in_port_t port)
{
    bool v6 = strchr(host, ':') != NULL;
    snprintf(text, cap, "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", (unsigned)ntohs(port));
}

void socket_address(uint8_t ip[16], char *text, size_t cap, const struct sockaddr *a)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)a;
        memcpy(ip, &v4->sin_addr, sizeof v4->sin_addr);
        uv_ip4_name(v4, host, sizeof host);
        write_text(text, cap, host, v4->sin_port);
    } else if (a->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)a;
        memcpy(ip, &v6->sin6_addr, sizeof v6->sin6_addr);
        uv_ip6_name(v6, host, sizeof host);
        write_text(text, cap, host, v6->sin6_port);
    }
}
