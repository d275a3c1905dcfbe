#define _GNU_SOURCE
#include "sequencer/cli/devnet_record.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sequencer/cli/doc.h"

static void pointer_path(char out[DEVNET_PATH])
{
    const char *dir = getenv("XDG_RUNTIME_DIR");
    if (dir == NULL || *dir != '/') {
        dir = "/tmp";
    }
    snprintf(out, DEVNET_PATH, "%.400s/baton-devnet-%u", dir, (unsigned)getuid());
}

/* A text file of this user, no link; one line without its end. */
static bool read_own_line(const char *path, char *out, size_t cap)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n = -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == getuid()) {
        n = read(fd, out, cap - 1);
    }
    close(fd);
    if (n <= 0) {
        return false;
    }
    out[n] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    return true;
}

enum err devnet_record_default_dir(char out[DEVNET_PATH])
{
    char path[DEVNET_PATH];
    pointer_path(path);
    return read_own_line(path, out, DEVNET_PATH) ? OK : ERR_NOT_FOUND;
}

bool devnet_record_process(int pid, char *state, int *parent)
{
    char path[64];
    char text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return false;
    }
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    const char *after_name = strrchr(text, ')');
    return after_name != NULL && sscanf(after_name, ") %c %d", state, parent) == 2;
}

bool devnet_record_owns(const struct devnet_record *r, int pid)
{
    char state;
    int parent;
    return pid > 1 && devnet_record_process(pid, &state, &parent) && parent == r->pid;
}

static void read_node(struct devnet_record_node *out, struct json_object *o)
{
    char path[DEVNET_PATH + 16];
    out->pid = (int)doc_u64(o, "pid", 0);
    out->el_pid = (int)doc_u64(doc_member(o, "el"), "pid", 0);
    snprintf(out->name, sizeof out->name, "%s", doc_text(o, "name", "?"));
    snprintf(out->rpc, sizeof out->rpc, "%s", doc_text(o, "rpc", ""));
    snprintf(out->admin, sizeof out->admin, "%s", doc_text(o, "admin", ""));
    snprintf(out->dir, sizeof out->dir, "%s", doc_text(o, "dir", ""));
    snprintf(path, sizeof path, "%s/admin.token", out->dir);
    if (!read_own_line(path, out->token, sizeof out->token)) {
        out->token[0] = '\0';
    }
}

static enum err fill(struct devnet_record *out, struct json_object *o)
{
    struct json_object *nodes = doc_member(o, "nodes");
    size_t n = doc_length(nodes);
    if (n == 0 || n > LIMIT_MEMBERS) {
        return ERR_MALFORMED;
    }
    *out = (struct devnet_record){
        .pid = (int)doc_u64(o, "pid", 0),
        .chain_id = doc_u64(o, "chainId", 0),
        .block_time_ms = doc_u64(o, "blockTimeMs", 0),
        .n = (uint32_t)n,
    };
    snprintf(out->socket, sizeof out->socket, "%s", doc_text(o, "socket", ""));
    for (size_t i = 0; i < n; i++) {
        read_node(&out->node[i], json_object_array_get_idx(nodes, i));
    }
    return OK;
}

enum err devnet_record_read(struct devnet_record *out, const char *dir, char *why, size_t why_len)
{
    char path[DEVNET_PATH + 16];
    snprintf(path, sizeof path, "%s/devnet.json", dir);
    struct json_object *o = doc_read(path);
    if (o == NULL) {
        snprintf(why, why_len,
                 "no devnet runs in %s (there is no devnet.json); "
                 "start one with `baton devnet --dir %s`",
                 dir, dir);
        return ERR_UNREACHABLE;
    }
    enum err e = fill(out, o);
    json_object_put(o);
    if (e != OK) {
        snprintf(why, why_len, "%s is not a devnet's record; delete it and start the devnet", path);
    } else if (out->pid <= 1 || (kill(out->pid, 0) != 0 && errno == ESRCH)) {
        snprintf(why, why_len,
                 "the devnet of %s does not run any more; start it again with "
                 "`baton devnet --dir %s`",
                 dir, dir);
        e = ERR_UNREACHABLE;
    }
    return e;
}

static bool write_all(int fd, const char *text)
{
    size_t n = strlen(text);
    while (n > 0) {
        ssize_t done = write(fd, text, n);
        if (done <= 0) {
            return false;
        }
        text += done;
        n -= (size_t)done;
    }
    return true;
}

enum err devnet_record_write(const char *path, const char *text)
{
    char fresh[DEVNET_PATH + 32];
    snprintf(fresh, sizeof fresh, "%s.%d", path, (int)getpid());
    unlink(fresh);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return ERR_IO;
    }
    bool ok = write_all(fd, text);
    close(fd);
    if (!ok || rename(fresh, path) != 0) {
        unlink(fresh);
        return ERR_IO;
    }
    return OK;
}

enum err devnet_record_point_to(const char *dir)
{
    char path[DEVNET_PATH];
    char line[DEVNET_PATH + 2];
    pointer_path(path);
    snprintf(line, sizeof line, "%s\n", dir);
    return devnet_record_write(path, line);
}

void devnet_record_forget(const char *dir)
{
    char path[DEVNET_PATH];
    char named[DEVNET_PATH];
    pointer_path(path);
    if (devnet_record_default_dir(named) == OK && strcmp(named, dir) == 0) {
        unlink(path);
    }
}
