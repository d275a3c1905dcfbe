/* One node's configuration: DIR/node.yaml, then BATON_<KEY> of the environment, then --key value.
 *
 * config.def lists every key once: KEY(name, kind, default, "help"). From it come the parser, the
 * flags, the variables, `baton help node` and the documentation. Durations take ms, s, m, h. */
#ifndef SEQUENCER_NODE_CONFIG_H
#define SEQUENCER_NODE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/error.h"

enum { CONFIG_TEXT = 256 };

struct config {
    char dir[CONFIG_TEXT];      /* the node's directory */
    char genesis[CONFIG_TEXT];  /* genesis.json */
    char key[CONFIG_TEXT];      /* keystore v3; default DIR/key.json */
    char password[CONFIG_TEXT]; /* file with its password; default DIR/password */
    char safety_dir[CONFIG_TEXT];
    char name[32];
    char rpc[CONFIG_TEXT];         /* host:port of JSON-RPC, WebSocket, status page */
    char admin[CONFIG_TEXT];       /* host:port of admin methods and metrics */
    char admin_token[CONFIG_TEXT]; /* file with the bearer token; default DIR/admin.token */
    char p2p[CONFIG_TEXT];         /* host:port of the peer listener */
    char log[CONFIG_TEXT];         /* file; empty: standard error */
    char log_level[16];
    char trace[CONFIG_TEXT]; /* every core event, replayable; empty: off */
    char fee_recipient[48];  /* address; empty: the member's own */
    char cors[CONFIG_TEXT];  /* allowed origins, comma separated, * for all */
    char hosts[CONFIG_TEXT]; /* allowed Host headers */
    char el[CONFIG_TEXT];    /* ledger, http(s)://… */
    char el_rpc[CONFIG_TEXT];    /* http(s)://…; empty: el */
    char el_secret[CONFIG_TEXT]; /* file; default DIR/jwt.hex */
    char el_order[16];           /* client, given */
    uint64_t el_fill_ms;
    uint64_t head_stall_ms;
    uint64_t inclusion_limit_ms; /* 0: off */
    bool vow_never_signed;
    char l1[CONFIG_TEXT];        /* URLs, comma separated; empty: no L1 */
    char l1_beacon[CONFIG_TEXT]; /* the same, for blobs */
    char l1_chain_id[24];
    char l1_start[96]; /* number:hash */
    char da[16];       /* calldata, blob */
    char l1_slot[48];  /* genesis:seconds */
    uint64_t l1_poll_ms;
    char l1_key[CONFIG_TEXT];      /* keystore v3; default DIR/poster.json */
    char l1_password[CONFIG_TEXT]; /* file; default DIR/password */
};

/* `argv` holds the words after `baton node`. On ERR_USAGE and ERR_CONFIG one sentence with the
 * place (file:line:column or flag), what was expected and what to do stands in `why`. */
enum err config_load(struct config *out, int argc, char **argv, char *why, size_t why_len) MUST_USE;
/* Writes a node.yaml with the values that differ from the defaults. */
enum err config_write(const struct config *c, const char *path) MUST_USE;
/* Blocks are executed by a client of the Engine API, not by the built-in ledger. */
bool config_el_is_url(const struct config *c);
/* `baton help node`. */
void config_print_help(void);

#endif
