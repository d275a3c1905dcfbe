#define _GNU_SOURCE
#include "p2p/listener.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "p2p/dial.h"
#include "proto/members.h"

static enum err find_address(struct sockaddr_storage *out, uv_loop_t *loop, const char *endpoint)
{
    char host[ENDPOINT_SIZE];
    char service[8];
    uint16_t port = 0;
    if (!dial_split(endpoint, host, sizeof host, &port)) {
        return ERR_CONFIG;
    }
    if (dial_number(out, host, port)) {
        return OK;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    uv_getaddrinfo_t req;
    snprintf(service, sizeof service, "%u", (unsigned)port);
    if (uv_getaddrinfo(loop, &req, NULL, host, service, &hints) != 0) {
        return ERR_CONFIG;
    }
    memcpy(out, req.addrinfo->ai_addr, req.addrinfo->ai_addrlen);
    uv_freeaddrinfo(req.addrinfo);
    return OK;
}

static enum err bind_socket(int fd, const struct sockaddr_storage *at)
{
    int one = 1;
    socklen_t len =
        at->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0) {
        return ERR_IO;
    }
    /* Listening at once makes a second process on this port fail here, not later. */
    if (bind(fd, (const struct sockaddr *)at, len) == 0 && listen(fd, SOMAXCONN) == 0) {
        return OK;
    }
    return errno == EADDRINUSE ? ERR_IN_USE : ERR_IO;
}

static const char *sentence(enum err e)
{
    if (e == ERR_CONFIG) {
        return "is not a host:port that can be resolved";
    }
    return e == ERR_IN_USE ? "is in use by another process; give another port with --p2p "
                              "or stop what uses it"
                            : "cannot be opened; give an address of this machine with --p2p";
}

enum err listener_bind(int *fd, uv_loop_t *loop, const char *endpoint, char *why, size_t why_len)
{
    struct sockaddr_storage at;
    enum err e = find_address(&at, loop, endpoint);
    *fd = -1;
    if (e == OK) {
        *fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        e = *fd < 0 ? ERR_IO : bind_socket(*fd, &at);
    }
    if (e == OK) {
        return OK;
    }
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    snprintf(why, why_len, "the peer listener %s %s", endpoint, sentence(e));
    return e;
}
