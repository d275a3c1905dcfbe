#define _GNU_SOURCE
#include <curl/curl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <uv.h>

#include "sequencer/cli/cli.h"
#include "sequencer/cli/doc.h"
#include "sequencer/cli/options.h"

#ifndef BATON_VERSION
#define BATON_VERSION "0.1.0"
#endif

int cmd_version(int argc, char **argv)
{
    bool json = false;
    const struct option table[] = {{"json", OPTION_FLAG, &json, "", 0, 0, "as JSON"}};
    const struct command_line line = {"version", "[--json]", "Prints what this program is made of.",
                                      table, 1};
    int code = options_read(&line, argc, argv, NULL);
    if (code >= 0) {
        return code;
    }
    const char *ssl = OpenSSL_version(OPENSSL_VERSION);
    const char *curl = curl_version_info(CURLVERSION_NOW)->version;
    if (json) {
        struct json_object *o = json_object_new_object();
        doc_put_text(o, "version", BATON_VERSION);
        doc_put_text(o, "compiler", __VERSION__);
        doc_put_text(o, "libuv", uv_version_string());
        doc_put_text(o, "openssl", ssl);
        doc_put_text(o, "libcurl", curl);
        doc_print_pretty(o);
        json_object_put(o);
        return CLI_DONE;
    }
    printf("baton %s (compiler %s; libuv %s; %s; libcurl %s)\n", BATON_VERSION, __VERSION__,
           uv_version_string(), ssl, curl);
    return CLI_DONE;
}
