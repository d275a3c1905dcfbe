/* DIR/devnet.json: what a running devnet tells other processes of the same user (chaos, scripts):
 * its pid, its socket, and of every node the URLs, folder, token and pid. Written whole and renamed
 * into place on every change; it is stale when its pid is not alive.
 *
 * A pointer file of the user's (mode 0600) names the directory of the devnet that started last, so
 * that `baton chaos kill leader` needs no --dir. */
#ifndef SEQUENCER_CLI_DEVNET_RECORD_H
#define SEQUENCER_CLI_DEVNET_RECORD_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/error.h"
#include "proto/limits.h"
#include "proto/members.h"

enum { DEVNET_PATH = 512, DEVNET_URL = 64, DEVNET_TOKEN = 80 };

struct devnet_record_node {
    int pid; /* 0: down */
    char name[NAME_SIZE];
    char rpc[DEVNET_URL];
    char admin[DEVNET_URL];
    char dir[DEVNET_PATH];
    int el_pid; /* of its execution client; 0: down, or none that the devnet started */
    char token[DEVNET_TOKEN]; /* bearer token of the admin port, read from the node's folder */
};

struct devnet_record {
    int pid;
    uint64_t chain_id;
    uint64_t block_time_ms;
    char socket[DEVNET_PATH];
    uint32_t n;
    struct devnet_record_node node[LIMIT_MEMBERS];
};

/* Directory of the last devnet; ERR_NOT_FOUND. */
enum err devnet_record_default_dir(char out[DEVNET_PATH]) MUST_USE;
/* ERR_UNREACHABLE: no devnet runs there; ERR_MALFORMED. */
enum err devnet_record_read(struct devnet_record *out, const char *dir, char *why,
                            size_t why_len) MUST_USE;
/* What the kernel says of a process: its state letter ('T' while a signal stopped it) and its
 * parent. False: there is none. */
bool devnet_record_process(int pid, char *state, int *parent) MUST_USE;
/* The pid is alive and a child of the devnet: pids of others are never signalled. */
bool devnet_record_owns(const struct devnet_record *r, int pid);

/* Atomically writes `text` to `path` with mode 0600. */
enum err devnet_record_write(const char *path, const char *text) MUST_USE;
enum err devnet_record_point_to(const char *dir) MUST_USE;
void devnet_record_forget(const char *dir);

#endif
