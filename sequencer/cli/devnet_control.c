#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sequencer/cli/devnet.h"
#include "sequencer/cli/doc.h"
#include "sequencer/cli/rpc_client.h"

enum { LINE = 256, BACKLOG = 8, ADMIN_TIMEOUT_MS = 1000 };

/* One caller at the socket: a line of JSON in, a line out. */
struct caller {
    struct devnet *net;
    uv_pipe_t pipe;
    uv_write_t write;
    char in[LINE];
    size_t n;
    char out[LINE];
};

static void on_caller_closed(uv_handle_t *h)
{
    free(h->data);
}

static void hang_up(struct caller *c)
{
    if (!uv_is_closing((uv_handle_t *)&c->pipe)) {
        uv_close((uv_handle_t *)&c->pipe, on_caller_closed);
    }
}

static void on_answered(uv_write_t *request, int status)
{
    (void)status;
    hang_up(request->data);
}

/* {"action":"restart","node":2} */
static void obey(struct caller *c)
{
    struct json_object *o = doc_parse(bytes_of(c->in, c->n));
    uint64_t node = doc_u64(o, "node", UINT64_MAX);
    bool ok =
        strcmp(doc_text(o, "action", ""), "restart") == 0 && node < c->net->n && !c->net->stopping;
    json_object_put(o);
    if (ok) {
        devnet_restart(&c->net->node[node]);
    }
    snprintf(c->out, sizeof c->out, "{\"ok\":%s}\n", ok ? "true" : "false");
    uv_buf_t buf = uv_buf_init(c->out, (unsigned)strlen(c->out));
    c->write.data = c;
    if (uv_write(&c->write, (uv_stream_t *)&c->pipe, &buf, 1, on_answered) != 0) {
        hang_up(c);
    }
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct caller *c = h->data;
    (void)suggested;
    *buf = uv_buf_init(c->in + c->n, (unsigned)(sizeof c->in - c->n));
}

static void on_line(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct caller *c = stream->data;
    (void)buf;
    if (n < 0) {
        hang_up(c);
        return;
    }
    c->n += (size_t)n;
    if (memchr(c->in, '\n', c->n) != NULL) {
        uv_read_stop(stream);
        obey(c);
    } else if (c->n == sizeof c->in) {
        hang_up(c);
    }
}

static void on_caller(uv_stream_t *server, int status)
{
    struct devnet *d = server->data;
    struct caller *c = status == 0 ? calloc(1, sizeof *c) : NULL;
    if (c == NULL) {
        return;
    }
    c->net = d;
    c->pipe.data = c;
    uv_pipe_init(&d->loop, &c->pipe, 0);
    if (uv_accept(server, (uv_stream_t *)&c->pipe) != 0 ||
        uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_line) != 0) {
        hang_up(c);
    }
}

/* Addresses of Unix sockets are short: a deep --dir gets its socket elsewhere. */
static void choose_socket(struct devnet *d)
{
    snprintf(d->socket, sizeof d->socket, "%.*s/devnet.sock", DEVNET_PATH - 16, d->dir);
    if (strlen(d->socket) >= sizeof((struct sockaddr_un *)NULL)->sun_path) {
        snprintf(d->socket, sizeof d->socket, "/tmp/baton-devnet-%d.sock", (int)getpid());
    }
}

enum err devnet_control_open(struct devnet *d, char *why, size_t why_len)
{
    choose_socket(d);
    unlink(d->socket);
    uv_pipe_init(&d->loop, &d->server, 0);
    d->server.data = d;
    d->listening = true;
    mode_t before = umask(0077);
    int result = uv_pipe_bind(&d->server, d->socket);
    umask(before);
    if (result == 0) {
        result = uv_listen((uv_stream_t *)&d->server, BACKLOG, on_caller);
    }
    if (result != 0) {
        snprintf(why, why_len, "%s: %s", d->socket, uv_strerror(result));
        return ERR_IO;
    }
    devnet_control_update(d);
    if (devnet_record_point_to(d->dir) != OK) {
        fprintf(stderr, "baton: devnet: `baton chaos` will need --dir %s\n", d->dir);
    }
    return OK;
}

static struct json_object *describe_node(const struct devnet_node *node)
{
    struct json_object *o = json_object_new_object();
    doc_put_u64(o, "index", node->index);
    doc_put_text(o, "name", node->member->name);
    doc_put_text(o, "rpc", node->rpc);
    doc_put_text(o, "admin", node->admin);
    doc_put_text(o, "dir", node->dir);
    doc_put(o, "pid", node->pid > 0 ? json_object_new_int(node->pid) : NULL);
    doc_put(o, "el", devnet_el_doc(&node->el));
    return o;
}

void devnet_control_update(struct devnet *d)
{
    char path[DEVNET_PATH + 16];
    if (!d->listening) {
        return;
    }
    struct json_object *o = json_object_new_object();
    struct json_object *nodes = json_object_new_array();
    doc_put_u64(o, "pid", (uint64_t)getpid());
    doc_put_u64(o, "chainId", d->genesis.chain_id);
    doc_put_u64(o, "blockTimeMs", d->genesis.params.block_time_ms);
    doc_put_text(o, "socket", d->socket);
    for (uint32_t i = 0; i < d->n; i++) {
        json_object_array_add(nodes, describe_node(&d->node[i]));
    }
    doc_put(o, "nodes", nodes);
    snprintf(path, sizeof path, "%s/devnet.json", d->dir);
    if (devnet_record_write(path, json_object_to_json_string(o)) != OK) {
        fprintf(stderr, "baton: devnet: %s cannot be written\n", path);
    }
    json_object_put(o);
}

static void close_if_open(uv_handle_t *h)
{
    if (h->type != UV_UNKNOWN_HANDLE && !uv_is_closing(h)) {
        uv_close(h, NULL);
    }
}

/* The last node is down: nothing keeps the loop any more. */
void devnet_control_close(struct devnet *d)
{
    char path[DEVNET_PATH + 16];
    devnet_watch_close(d);
    devnet_view_close(d);
    close_if_open((uv_handle_t *)&d->interrupt);
    close_if_open((uv_handle_t *)&d->terminate);
    close_if_open((uv_handle_t *)&d->resize);
    close_if_open((uv_handle_t *)&d->tick);
    close_if_open((uv_handle_t *)&d->end);
    if (d->listening) {
        d->listening = false;
        close_if_open((uv_handle_t *)&d->server);
        unlink(d->socket);
        snprintf(path, sizeof path, "%s/devnet.json", d->dir);
        unlink(path);
        devnet_record_forget(d->dir);
    }
}

static void on_admin_answer(void *arg, const struct http_answer *a)
{
    struct devnet_node *node = arg;
    struct json_object *result = NULL;
    char why[128] = "";
    enum err e = a->err;
    if (e == OK) {
        e = rpc_client_answer(&result, a->body, why, sizeof why);
    }
    if (e != OK) {
        devnet_view_event(node->net, "node %u did not obey: %s", node->index,
                          why[0] != '\0' ? why : err_text(e));
    }
    json_object_put(result);
}

void devnet_control_chaos(struct devnet *d, const struct chaos_order *order, uint32_t node)
{
    size_t n = 0;
    struct json_object *params = chaos_params(order, d->n, node);
    char *text = rpc_client_request("admin_chaos", params, &n);
    json_object_put(params);
    if (text == NULL || d->http == NULL) {
        free(text);
        return;
    }
    const struct http_request r = {d->node[node].admin, text, n, d->node[node].token,
                                   ADMIN_TIMEOUT_MS};
    if (http_client_post(d->http, &r, on_admin_answer, &d->node[node]) != OK) {
        devnet_view_event(d, "node %u cannot be asked", node);
    }
    free(text);
}
