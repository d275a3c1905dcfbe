/* A devnet: N real `baton node` processes of this binary on the loopback, with deterministic keys.
 *
 *   devnet_files      folders, keys, genesis: made new or taken up again
 *   devnet_processes  spawns the nodes, notices their ends, stops and restarts them
 *   devnet_watch      heads, takeovers and states of all nodes, as clients see them
 *   devnet_control    DIR/devnet.json and the socket that `baton chaos` talks to
 *   devnet_l1         the L1: what nodes must know of it, and pay for the posters
 *   devnet_anvil      anvil as that L1, started again when it ends
 *   devnet_el*        execution clients (devnet_el.h);  devnet_program: where programs are
 *   devnet_view       the first screen and the live view;  devnet_json: events as JSON lines
 *   devnet.c          options and the life cycle
 *
 * Life: files -> spawn -> (all serve, first block final) ready -> stopping -> all down -> removed.
 * One loop thread owns everything. */
#ifndef SEQUENCER_CLI_DEVNET_H
#define SEQUENCER_CLI_DEVNET_H

#include <json-c/json.h>
#include <uv.h>

#include "proto/genesis.h"
#include "proto/key.h"
#include "sequencer/cli/chaos.h"
#include "sequencer/cli/devnet_el.h"
#include "sequencer/cli/devnet_record.h"
#include "sequencer/cli/gap.h"
#include "sequencer/cli/head_watch.h"
#include "sequencer/cli/http_client.h"

enum { DEVNET_ACCOUNTS = 10, DEVNET_EVENTS = 6, DEVNET_GAPS = 64, DEVNET_TAKEOVERS = 64 };
enum {
    DEVNET_L1_CHAIN = 900,
    DEVNET_ADMIN_PORT = 1000,
    DEVNET_EL_PORT = 4000,
    DEVNET_P2P_PORT = 22000
};

struct devnet_options {
    uint64_t nodes; /* 0: not given, as for the other numbers */
    const char *dir;
    uint64_t base_port;
    const char *fault;
    uint64_t block_ms;
    uint64_t turn;
    const char *pace;
    uint64_t chain_id;
    const char *el;
    const char *el_secret;
    const char *l1;
    const char *da;
    uint64_t seal_ms;
    uint64_t seed;
    uint64_t for_ms;
    bool json;
};

enum devnet_state { DEVNET_DOWN, DEVNET_RUNNING, DEVNET_STOPPED };

struct devnet;

struct devnet_node {
    struct devnet *net;
    uint32_t index;
    const struct member *member; /* in net->genesis */
    char rpc[DEVNET_URL];
    char ws[DEVNET_URL];
    char admin[DEVNET_URL];
    char p2p[DEVNET_URL];
    char dir[DEVNET_PATH];
    char log[DEVNET_PATH + 8];
    char token[DEVNET_TOKEN];
    uv_process_t process;
    int pid;
    enum devnet_state state;
    bool restart; /* spawn again as soon as it is down */
    bool closing; /* `process` is not free yet */
    bool cut;     /* by the keys of the view */
    bool lossy;
    int code; /* of the last end: exit status, or minus the signal */
    uint64_t started_us;
    uint64_t head;
    uint64_t head_us;
    bool ready; /* of its last baton_status, as are the next three */
    uint64_t safe;
    uint64_t batch_lag_ms;
    uint64_t batch_stage;
    uint64_t l1_head;  /* 0: none */
    double spent_eth;  /* by its poster, final on the L1 */
    bool asked; /* a status request is under way */
    char role[12];
    struct devnet_el el;
};

struct devnet_account {
    struct address address;
    struct secret_key key;
};

/* devnet_l1.c: the L1, where there is one. DIR/l1.json keeps the first six. */
struct devnet_l1 {
    bool wanted;
    bool anvil; /* ours; else behind a URL */
    char rpc[4 * DEVNET_URL];
    char layer[12]; /* calldata or blob */
    char start[96]; /* number:hash of the block before the first batch */
    uint64_t chain_id;
    struct address poster[LIMIT_MEMBERS];
    /* devnet_anvil.c */
    uv_process_t process;
    uv_timer_t kill;
    int pid; /* 0: not ours, or ended, */
    int code; /* with this exit status, or minus the signal */
    bool closing, ending;
    uint64_t started_us, again_us, pause_us;
};

struct devnet_gap {
    uint64_t at_us;
    uint64_t length_us;
};

struct devnet {
    struct devnet_options options;
    uv_loop_t loop;
    char dir[DEVNET_PATH];
    bool temporary;
    int lock; /* of DIR/devnet.lock */
    struct genesis genesis;
    uint16_t base_port;
    uint32_t n;
    struct devnet_node node[LIMIT_MEMBERS];
    struct devnet_account account[DEVNET_ACCOUNTS];

    struct head_watch *watch;
    struct http_client *http;
    struct gap gap;
    struct devnet_gap gaps[DEVNET_GAPS]; /* ring: the last times between heads */
    uint64_t gaps_n;
    uint64_t taken[DEVNET_TAKEOVERS]; /* ring: turns whose takeover was told */
    uint64_t taken_n;
    int leader; /* of the last head; -1: none yet */
    struct devnet_l1 l1;

    uv_pipe_t server;
    char socket[DEVNET_PATH];
    bool listening;
    uv_signal_t interrupt;
    uv_signal_t terminate;
    uv_signal_t resize;
    uv_timer_t tick;
    uv_timer_t end;
    uv_tty_t keyboard;
    bool keys;
    bool json;
    uint32_t selected;
    char event[DEVNET_EVENTS][160]; /* last lines of the view */
    uint64_t events_n;
    uint32_t drawn;      /* lines of the view on the screen */
    uint64_t started_us; /* first spawn */
    bool ready;
    bool stopping;
    uint64_t stopping_us;
    uint64_t el_stopping_us; /* the nodes are down */
    int exit_code;
};

/* devnet_files.c */
/* Makes or resumes the folder; fills genesis, nodes, accounts. ERR_CONFIG, ERR_IN_USE, ERR_IO. */
enum err devnet_files_open(struct devnet *d, char *why, size_t why_len) MUST_USE;
/* Removes a temporary folder, releases the lock. */
void devnet_files_close(struct devnet *d);
/* One node's folder: keys, password, token, node.yaml, first journal. */
enum err devnet_files_make_node(const struct devnet *d, uint32_t i, char *why,
                                size_t why_len) MUST_USE;
/* devnet_genesis.c: genesis and keys from the options and the seed. */
enum err devnet_genesis_make(struct devnet *d, char *why, size_t why_len) MUST_USE;
enum err devnet_key(struct secret_key *out, uint64_t seed, uint32_t i) MUST_USE;
enum err devnet_accounts(struct devnet *d) MUST_USE;

/* devnet_processes.c */
enum err devnet_spawn(struct devnet_node *node, char *why, size_t why_len) MUST_USE;
void devnet_signal(struct devnet_node *node, int signal);
/* Ends it cleanly if it runs, then spawns it. */
void devnet_restart(struct devnet_node *node);
/* Ends all; the loop runs out when they are down. */
void devnet_stop(struct devnet *d, int exit_code);
/* Looks for SIGSTOP and SIGCONT, and for nodes that do not end. */
void devnet_processes_tick(struct devnet *d);
uint32_t devnet_running(const struct devnet *d);
/* While it stops: the clients after the nodes, then everything else. */
void devnet_end_rest(struct devnet *d);

/* devnet.c: nobody listens on this port of the loopback. */
bool devnet_port_is_free(unsigned port) MUST_USE;
/* devnet_program.c: the file that the variable of the environment names; else the one beside the
 * program of this process; else, where `name` is given, the first in PATH. False: none. */
bool devnet_find_program(char path[DEVNET_PATH], const char *variable, const char *beside,
                         const char *name) MUST_USE;

/* devnet_l1.c */
/* The options ask for one. */
bool devnet_l1_wanted(const struct devnet *d);
/* A new L1: starts anvil where asked, reads the chain, pays the posters; base port and n are
 * known. */
enum err devnet_l1_open(struct devnet *d, char *why, size_t why_len) MUST_USE;
/* Into DIR/l1.json, once the nodes know it. */
enum err devnet_l1_keep(const struct devnet *d) MUST_USE;
/* That of an older folder; nothing where it has none. ERR_CONFIG: the options are not for it, or
 * its anvil is not the one that it was. */
enum err devnet_l1_resume(struct devnet *d, char *why, size_t why_len) MUST_USE;

/* devnet_anvil.c */
enum err devnet_anvil_start(struct devnet *d, char *why, size_t why_len) MUST_USE;
void devnet_anvil_tick(struct devnet *d); /* starts it again */
void devnet_anvil_stop(struct devnet *d);

/* devnet_l1.c, too */
/* The account that node i posts from. */
enum err devnet_l1_poster(const struct devnet *d, uint32_t i, struct secret_key *key,
                          struct address *out) MUST_USE;
struct json_object *devnet_l1_doc(const struct devnet *d); /* NULL: none */

/* devnet_watch.c */
enum err devnet_watch_open(struct devnet *d) MUST_USE;
void devnet_watch_tick(struct devnet *d);
void devnet_watch_close(struct devnet *d);

/* devnet_control.c */
enum err devnet_control_open(struct devnet *d, char *why, size_t why_len) MUST_USE;
void devnet_control_update(struct devnet *d); /* rewrites DIR/devnet.json */
void devnet_control_close(struct devnet *d);
void devnet_control_chaos(struct devnet *d, const struct chaos_order *order, uint32_t node);

/* What happened, for whoever shows it (devnet_view.c or devnet_json.c). */
struct devnet_takeover {
    int from;
    int to;
    uint64_t turn;
    double gap_ms;
    const char *reason;
};
void devnet_on_ready(struct devnet *d);
void devnet_on_block(struct devnet *d, const struct head *h, double gap_ms);
void devnet_on_leader(struct devnet *d, const struct head *h);
void devnet_on_takeover(struct devnet *d, const struct devnet_takeover *t);
void devnet_on_node(struct devnet_node *node, const char *state);
void devnet_on_l1(struct devnet *d, const char *state);
void devnet_on_el(const struct devnet_el *el);

void devnet_json_ready(const struct devnet *d);
void devnet_json_block(const struct devnet *d, const struct head *h, double gap_ms);
void devnet_json_leader(const struct devnet *d, const struct head *h);
void devnet_json_takeover(const struct devnet *d, const struct devnet_takeover *t);
void devnet_json_node(const struct devnet_node *node, const char *state);
void devnet_json_l1(const struct devnet *d, const char *state);
void devnet_json_el(const struct devnet_el *el);

void devnet_view_ready(struct devnet *d);
void devnet_view_event(struct devnet *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void devnet_view_draw(struct devnet *d);
void devnet_view_open(struct devnet *d);
void devnet_view_close(struct devnet *d);

#endif
