/* Execution clients of a devnet, one a node (`--el`):
 *
 *   geth, op-geth, ethereumjs   started here, from build/clients (deploy/get-clients), the variables
 *                               GETH, OP_GETH, ETHEREUMJS, or PATH; started again when they end
 *   mixed                       node 0 geth, 1 op-geth, 2 ethereumjs, 3 geth …
 *   URL,URL,…                   somebody else's, one a node, with --el-secret
 *
 * Folder: DIR/el.json (what was chosen), DIR/el-genesis.json (the same for all kinds), DIR/elN (data,
 * log and jwt.hex of node N's client). A client listens for the Engine API alone, on the loopback, and
 * has no peers: its node feeds it.
 *
 * Life of a new chain: genesis of the clients from Baton's -> clients started -> block 0 asked of
 * each, all the same -> its hash and state root into Baton's genesis. */
#ifndef SEQUENCER_CLI_DEVNET_EL_H
#define SEQUENCER_CLI_DEVNET_EL_H

#include <uv.h>

#include "proto/error.h"
#include "proto/genesis.h"
#include "sequencer/cli/devnet_record.h"

struct devnet;
struct devnet_node;

enum devnet_el_kind { DEVNET_EL_NONE, DEVNET_EL_GETH, DEVNET_EL_OP_GETH, DEVNET_EL_JS, DEVNET_EL_URL };
enum { DEVNET_EL_URL_SIZE = 256, DEVNET_EL_LEAST_MS = 1000 };

struct devnet_el {
    struct devnet_node *node;
    enum devnet_el_kind kind;
    char program[DEVNET_PATH]; /* of ethereumjs: what node runs */
    char dir[DEVNET_PATH];
    char url[DEVNET_EL_URL_SIZE];
    char secret[DEVNET_PATH + 16];
    uv_process_t process;
    int pid;  /* 0: not ours, or ended, */
    int code; /* with this exit status, or minus the signal */
    bool closing, stopped, ending;
    uint64_t started_us, again_us, pause_us;
};

/* ---- devnet_el.c --------------------------------------------------------------------------------- */

/* The options ask for clients. */
bool devnet_el_wanted(const struct devnet *d);
/* NULL, or what is wrong with the options, as one sentence. */
const char *devnet_el_check(const struct devnet *d);
/* A new chain: n, base port and the genesis but for its execution record are known, which is filled.
 * Nothing where no clients are wanted. ERR_CONFIG, ERR_IO, ERR_UNREACHABLE. */
enum err devnet_el_open(struct devnet *d, char *why, size_t why_len) MUST_USE;
/* Those of an older folder are started again. */
enum err devnet_el_resume(struct devnet *d, char *why, size_t why_len) MUST_USE;
const char *devnet_el_name(enum devnet_el_kind kind);
/* "running", "stopped" or "down"; of others' clients nothing is known: "". */
const char *devnet_el_state(const struct devnet_el *el);
struct json_object *devnet_el_doc(const struct devnet_el *el); /* NULL: none */

/* ---- devnet_el_genesis.c ------------------------------------------------------------------------- */

/* The genesis as geth and ethereumjs read it: Prague from block 0 on, the accounts of `g` and the
 * contracts that the fork needs. ERR_IO. */
enum err devnet_el_genesis_write(const struct genesis *g, const char *path) MUST_USE;

/* ---- devnet_el_process.c ------------------------------------------------------------------------- */

enum err devnet_el_spawn(struct devnet_el *el, char *why, size_t why_len) MUST_USE;
/* Starts again what ended, notices SIGSTOP and SIGCONT. */
void devnet_el_tick(struct devnet *d);
void devnet_el_stop(struct devnet *d); /* the nodes are down */
/* The last line of its log, or its path. */
void devnet_el_last_words(const struct devnet_el *el, char *out, size_t n);

#endif
