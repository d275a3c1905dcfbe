#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sequencer/cli/devnet.h"
#include "sequencer/cli/member_files.h"
#include "sequencer/node/config.h"
#include "sequencer/node/genesis_file.h"
#include "sequencer/node/keyfile.h"

enum { OPEN_FDS = 16 };

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

void devnet_files_close(struct devnet *d)
{
    if (d->temporary && d->dir[0] != '\0') {
        nftw(d->dir, remove_one, OPEN_FDS, FTW_DEPTH | FTW_PHYS);
    }
    if (d->lock >= 0) {
        close(d->lock);
    }
    genesis_free(&d->genesis);
}

static enum err make_dir(struct devnet *d, char *why, size_t why_len)
{
    const char *root = getenv("TMPDIR");
    if (d->options.dir == NULL) {
        snprintf(d->dir, sizeof d->dir, "%.400s/baton-devnet-XXXXXX",
                 root != NULL && *root == '/' ? root : "/tmp");
        d->temporary = mkdtemp(d->dir) != NULL;
        if (!d->temporary) {
            snprintf(why, why_len, "no temporary folder: %s: %s", d->dir, strerror(errno));
            d->dir[0] = '\0';
            return ERR_IO;
        }
        return OK;
    }
    if (mkdir(d->options.dir, 0700) != 0 && errno != EEXIST) {
        snprintf(why, why_len, "--dir %.200s: %s", d->options.dir, strerror(errno));
        return ERR_CONFIG;
    }
    char *full = realpath(d->options.dir, NULL);
    if (full == NULL || strlen(full) > DEVNET_PATH - 64) {
        snprintf(why, why_len, "--dir %.200s: not a usable folder", d->options.dir);
        free(full);
        return ERR_CONFIG;
    }
    snprintf(d->dir, sizeof d->dir, "%s", full);
    free(full);
    return OK;
}

static enum err lock_dir(struct devnet *d, char *why, size_t why_len)
{
    char path[DEVNET_PATH + 16];
    snprintf(path, sizeof path, "%s/devnet.lock", d->dir);
    d->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (d->lock < 0) {
        snprintf(why, why_len, "%s: %s", path, strerror(errno));
        return ERR_CONFIG;
    }
    if (flock(d->lock, LOCK_EX | LOCK_NB) != 0) {
        snprintf(why, why_len, "another devnet runs in %s; stop it or choose another --dir",
                 d->dir);
        return ERR_IN_USE;
    }
    return OK;
}

static void place_nodes(struct devnet *d)
{
    d->n = d->genesis.n;
    for (uint32_t i = 0; i < d->n; i++) {
        struct devnet_node *node = &d->node[i];
        unsigned port = d->base_port + i;
        node->net = d;
        node->index = i;
        node->member = &d->genesis.member[i];
        snprintf(node->rpc, sizeof node->rpc, "http://127.0.0.1:%u", port);
        snprintf(node->ws, sizeof node->ws, "ws://127.0.0.1:%u", port);
        snprintf(node->admin, sizeof node->admin, "http://127.0.0.1:%u", port + DEVNET_ADMIN_PORT);
        snprintf(node->p2p, sizeof node->p2p, "%s", node->member->endpoint);
        snprintf(node->dir, sizeof node->dir, "%.*s/node%u", DEVNET_PATH - 16, d->dir, i);
        snprintf(node->log, sizeof node->log, "%.*s/node%u/log", DEVNET_PATH - 16, d->dir, i);
    }
}

static void default_u64(uint64_t *value, uint64_t otherwise)
{
    *value = *value == 0 ? otherwise : *value;
}

static void defaults(struct devnet *d)
{
    struct devnet_options *o = &d->options;
    default_u64(&o->nodes, 4);
    default_u64(&o->base_port, 8545);
    default_u64(&o->block_ms, devnet_el_wanted(d) ? DEVNET_EL_LEAST_MS : 200);
    default_u64(&o->turn, 8);
    default_u64(&o->chain_id, 41197);
    default_u64(&o->seal_ms, GENESIS_SEAL_MS);
    default_u64(&o->seed, 1);
    if (o->fault == NULL) {
        o->fault = o->nodes >= 4 ? "bft" : "crash";
    }
    if (o->pace == NULL) {
        o->pace = "fixed";
    }
}

static enum err write_yaml(const struct devnet_node *node, char *why, size_t why_len)
{
    char genesis[DEVNET_PATH + 16];
    char rpc[DEVNET_URL];
    char admin[DEVNET_URL];
    char path[DEVNET_PATH + 16];
    struct config config;
    snprintf(genesis, sizeof genesis, "%s/genesis.json", node->net->dir);
    snprintf(rpc, sizeof rpc, "%s", node->rpc + strlen("http://"));
    snprintf(admin, sizeof admin, "%s", node->admin + strlen("http://"));
    snprintf(path, sizeof path, "%s/node.yaml", node->dir);
    char chain[24];
    const struct devnet_l1 *l1 = &node->net->l1;
    snprintf(chain, sizeof chain, "%llu", (unsigned long long)l1->chain_id);
    const struct devnet_el *el = &node->el;
    const char *flags[] = {"--dir", node->dir, "--genesis", genesis, "--name",  node->member->name,
                           "--rpc", rpc,       "--admin",   admin,   "--p2p",   node->p2p,
                           "--log", node->log, "--cors",    "*",     "--hosts", "*",
                           "--l1",  l1->rpc,   "--l1-chain-id", chain, "--l1-start", l1->start,
                           "--l1-poll", "500ms", "--l1-beacon", l1->rpc, "--da", l1->layer};
    const char *clients[] = {"--el", el->url, "--el-secret", el->secret};
    enum { PLAIN = 18 };
    char *argv[(sizeof flags + sizeof clients) / sizeof flags[0] + 1];
    int argc = 0;
    size_t n = l1->wanted ? sizeof flags / sizeof flags[0] : PLAIN;
    for (size_t i = 0; i < n; i++) {
        argv[argc++] = (char *)(uintptr_t)flags[i];
    }
    for (size_t i = 0; el->kind != DEVNET_EL_NONE && i < sizeof clients / sizeof clients[0]; i++) {
        argv[argc++] = (char *)(uintptr_t)clients[i];
    }
    argv[argc] = NULL;
    TRY(config_load(&config, argc, argv, why, why_len));
    return config_write(&config, path);
}

/* The poster's account has the password of the member's key. */
static enum err make_poster(const struct devnet_node *node, char *why, size_t why_len)
{
    char path[DEVNET_PATH + 16];
    char password[DEVNET_TOKEN];
    struct secret_key key;
    struct address account;
    TRY(devnet_l1_poster(node->net, node->index, &key, &account));
    snprintf(path, sizeof path, "%s/password", node->dir);
    TRY(member_files_read_line(password, sizeof password, path));
    snprintf(path, sizeof path, "%s/poster.json", node->dir);
    return keyfile_write(path, &key, bytes_of(password, strlen(password)), true, why, why_len);
}

enum err devnet_files_make_node(const struct devnet *d, uint32_t i, char *why, size_t why_len)
{
    const struct devnet_node *node = &d->node[i];
    struct secret_key key;
    if (mkdir(node->dir, 0700) != 0) {
        snprintf(why, why_len, "%s: %s", node->dir, strerror(errno));
        return ERR_IO;
    }
    TRY(devnet_key(&key, d->options.seed, i));
    TRY(member_files_key(node->dir, &key, true, why, why_len));
    if (d->l1.wanted) {
        TRY(make_poster(node, why, why_len));
    }
    TRY(member_files_token(node->dir));
    TRY(member_files_journal(node->dir, &d->genesis, &node->member->address, false, why,
                             why_len));
    return write_yaml(node, why, why_len);
}

/* Numbers given on the command line must be those of the folder. */
static enum err same(const char *option, uint64_t given, uint64_t stored, char *why, size_t why_len)
{
    if (given == 0 || given == stored) {
        return OK;
    }
    snprintf(why, why_len,
             "--%s %llu: this --dir was made with %llu; leave the option out or "
             "choose another --dir",
             option, (unsigned long long)given, (unsigned long long)stored);
    return ERR_CONFIG;
}

static enum err check_resumed(struct devnet *d, char *why, size_t why_len)
{
    const struct devnet_options *o = &d->options;
    const struct genesis *g = &d->genesis;
    const char *port = strrchr(g->member[0].endpoint, ':');
    uint64_t p2p = port != NULL ? strtoull(port + 1, NULL, 10) : 0;
    if (!g->devnet || p2p <= DEVNET_P2P_PORT || p2p > UINT16_MAX) {
        snprintf(why, why_len, "%s holds a genesis that no devnet made", d->dir);
        return ERR_CONFIG;
    }
    d->base_port = (uint16_t)(p2p - DEVNET_P2P_PORT);
    TRY(same("nodes", o->nodes, g->n, why, why_len));
    TRY(same("base-port", o->base_port, d->base_port, why, why_len));
    TRY(same("chain-id", o->chain_id, g->chain_id, why, why_len));
    TRY(same("seal-interval", o->seal_ms, g->seal_ms, why, why_len));
    TRY(same("turn", o->turn, g->params.turn_slots, why, why_len));
    return same("block-time", o->block_ms, g->params.block_time_ms, why, why_len);
}

/* A chain that had none: its batches stand in files, and are posted from its first block on. */
static enum err add_l1(struct devnet *d, char *why, size_t why_len)
{
    TRY(devnet_l1_open(d, why, why_len));
    for (uint32_t i = 0; i < d->n; i++) {
        TRY(make_poster(&d->node[i], why, why_len));
        TRY(write_yaml(&d->node[i], why, why_len));
    }
    return devnet_l1_keep(d);
}

static enum err resume(struct devnet *d, const char *genesis, char *why, size_t why_len)
{
    TRY(genesis_file_read(&d->genesis, genesis, why, why_len));
    TRY(check_resumed(d, why, why_len));
    place_nodes(d);
    d->options.seed = d->options.seed == 0 ? 1 : d->options.seed;
    for (uint32_t i = 0; i < d->n; i++) {
        char path[DEVNET_PATH + 16];
        snprintf(path, sizeof path, "%s/node.yaml", d->node[i].dir);
        if (access(path, R_OK) != 0) {
            snprintf(why, why_len, "%s is missing: this folder was never complete; delete %s", path,
                     d->dir);
            return ERR_CONFIG;
        }
    }
    TRY(devnet_el_resume(d, why, why_len));
    TRY(devnet_l1_resume(d, why, why_len));
    return !d->l1.wanted && devnet_l1_wanted(d) ? add_l1(d, why, why_len) : OK;
}

static bool holds_foreign_files(const char *dir)
{
    DIR *listing = opendir(dir);
    bool foreign = false;
    const struct dirent *e;
    while (listing != NULL && (e = readdir(listing)) != NULL) {
        foreign |= strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
                   strcmp(e->d_name, "devnet.lock") != 0;
    }
    if (listing != NULL) {
        closedir(listing);
    }
    return foreign;
}

static enum err create(struct devnet *d, const char *genesis, char *why, size_t why_len)
{
    if (holds_foreign_files(d->dir)) {
        snprintf(why, why_len, "%s is neither empty nor a devnet's; choose another --dir", d->dir);
        return ERR_CONFIG;
    }
    defaults(d);
    d->base_port = (uint16_t)d->options.base_port;
    TRY(devnet_genesis_make(d, why, why_len));
    place_nodes(d);
    TRY(devnet_el_open(d, why, why_len));
    TRY(genesis_file_write(&d->genesis, genesis, why, why_len));
    TRY(devnet_l1_open(d, why, why_len));
    for (uint32_t i = 0; i < d->n; i++) {
        TRY(devnet_files_make_node(d, i, why, why_len));
    }
    return devnet_l1_keep(d);
}

enum err devnet_files_open(struct devnet *d, char *why, size_t why_len)
{
    char genesis[DEVNET_PATH + 16];
    d->lock = -1;
    TRY(devnet_accounts(d));
    TRY(make_dir(d, why, why_len));
    TRY(lock_dir(d, why, why_len));
    snprintf(genesis, sizeof genesis, "%s/genesis.json", d->dir);
    bool old = access(genesis, F_OK) == 0;
    TRY(old ? resume(d, genesis, why, why_len) : create(d, genesis, why, why_len));
    for (uint32_t i = 0; i < d->n; i++) {
        TRY(member_files_read_token(d->node[i].token, sizeof d->node[i].token, d->node[i].dir));
    }
    return OK;
}
