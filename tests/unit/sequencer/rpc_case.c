#define _GNU_SOURCE
#include "rpc_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct world *w;
struct client c;

int case_setup(void **state)
{
    (void)state;
    w = world_open();
    client_open(&c, world_port(w));
    return 0;
}

int case_teardown(void **state)
{
    (void)state;
    client_close(&c);
    world_close(w);
    return 0;
}

void expect_text(const char *method, const char *params, const char *want)
{
    struct json_object *o = client_result(&c, method, params);
    assert_string_equal(json_object_get_string(o), want);
    json_object_put(o);
}

void expect_json(const char *method, const char *params, const char *want)
{
    struct json_object *o = client_result(&c, method, params);
    assert_string_equal(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN), want);
    json_object_put(o);
}

const char *hash_param(struct hash h)
{
    static char text[80];
    char hex[HEX_SIZE(32)];
    hex_encode(hex, h.b, sizeof h.b);
    snprintf(text, sizeof text, "[\"%s\"]", hex);
    return text;
}
