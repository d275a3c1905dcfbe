/* HTTP/1.1 on one connection: parsing by llhttp, one request at a time, bounds before memory. */
#ifndef SEQUENCER_RPC_HTTP_H
#define SEQUENCER_RPC_HTTP_H

#include <llhttp.h>

#include "sequencer/rpc/text.h"

struct connection;

enum http_header {
    HEADER_HOST,
    HEADER_ORIGIN,
    HEADER_AUTHORIZATION,
    HEADER_CONTENT_TYPE,
    HEADER_UPGRADE,
    HEADER_EXPECT,
    HEADER_WS_KEY,
    HEADER_WS_VERSION,
    HEADER_ASKED_HEADERS, /* Access-Control-Request-Headers */
    HEADER_COUNT
};

enum { HEADER_VALUE_SIZE = 256, URL_SIZE = 256, FIELD_SIZE = 40 };

struct http {
    llhttp_t parser;
    char url[URL_SIZE];
    char value[HEADER_COUNT][HEADER_VALUE_SIZE];
    bool seen[HEADER_COUNT];
    char field[FIELD_SIZE];
    size_t field_n;
    size_t value_n;
    int header; /* the one whose value comes in; -1: none of ours */
    size_t head_bytes;
    int refuse; /* status to answer instead of 400 */
    bool begun; /* a request is coming in */
    bool busy;  /* a request is being answered */
    bool feeding;
    bool keep_alive;
    bool head_only;
    struct text body;
    struct text rest; /* what came after the request being answered */
};

void http_init(struct connection *c);
void http_fini(struct connection *c);
void http_feed(struct connection *c, const char *p, size_t n);
/* Answers the current request and goes on with what came after it. Takes over `body` (may be
 * NULL). `headers`: further lines, each with its CR LF; may be NULL. */
void http_answer(struct connection *c, int status, const char *type, struct text *body,
                 const char *headers);
/* Answers with a status and a sentence, then ends the connection. */
void http_refuse(struct connection *c, int status, const char *sentence);
/* What a complete request asks for (route.c). */
void http_route(struct connection *c);
/* Whether a page of this origin may use the node (CORS; the same origin always may). */
bool http_origin_allowed(const struct connection *c);

#endif
