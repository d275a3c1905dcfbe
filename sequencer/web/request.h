/* JSON-RPC 2.0 from this side: a request of one or several calls, and its answers by id. */
#ifndef SEQUENCER_WEB_REQUEST_H
#define SEQUENCER_WEB_REQUEST_H

#include "sequencer/web/fault.h"
#include "sequencer/web/json.h"

enum { REQUEST_CALLS = 96 };

/* Grows; after a failed allocation `failed` stays set, and request_body is empty. */
struct request {
    char *p;
    size_t n;
    size_t cap;
    bool failed;
    uint64_t first_id;
    uint32_t calls;
    bool has_params; /* of the call under construction */
};

void request_begin(struct request *r, uint64_t first_id);
/* A call, then its parameters in order, then the next call. At most REQUEST_CALLS. */
void request_call(struct request *r, const char *method);
void request_text(struct request *r, const char *json); /* as it stands: "latest" with quotes */
void request_quantity(struct request *r, uint64_t v);
void request_hex(struct request *r, const void *p, size_t n);
/* Inside a parameter that request_text began: text and digits as they stand, no comma. */
void request_raw(struct request *r, const char *text);
void request_raw_hex(struct request *r, const void *p, size_t n); /* 0x… without quotes */
void request_end(struct request *r);
/* What is sent: an object, or a list where there are several calls. n == 0: out of memory. */
struct bytes request_body(const struct request *r);
void request_free(struct request *r);

struct answer {
    struct json_object *result; /* NULL: null, or an error */
    bool error;
    int64_t code;
    const char *message; /* "" where none */
};

struct answers {
    struct json_object *root;
    size_t text_n;
    uint32_t n; /* as many as calls */
    struct answer at[REQUEST_CALLS];
};

/* NONE, GARBAGE or WRONG_ID. Release in every case. */
enum web_fault answers_read(struct answers *out, const struct request *r, struct bytes text);
void answers_release(struct answers *a);

#endif
