#define _GNU_SOURCE
#include "sequencer/cli/member_files.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <unistd.h>

#include "sequencer/node/keyfile.h"
#include "storage/storage.h"

enum { PATH_SIZE = 560, RANDOM = 32 };

enum err member_files_create(const char *path, const char *text)
{
    size_t n = strlen(text);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno == EEXIST ? ERR_IN_USE : ERR_IO;
    }
    bool ok = write(fd, text, n) == (ssize_t)n && fsync(fd) == 0;
    close(fd);
    return ok ? OK : ERR_IO;
}

static enum err create_random(const char *dir, const char *name, char text[HEX_SIZE(RANDOM)])
{
    char path[PATH_SIZE];
    uint8_t bytes[RANDOM];
    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        return ERR_CRYPTO;
    }
    hex_encode(text, bytes, sizeof bytes);
    memmove(text, text + 2, 2 * RANDOM + 1);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return member_files_create(path, text);
}

enum err member_files_key(const char *dir, const struct secret_key *key, bool light, char *why,
                          size_t why_len)
{
    char path[PATH_SIZE];
    char password[HEX_SIZE(RANDOM)];
    enum err e = create_random(dir, "password", password);
    if (e != OK) {
        snprintf(why, why_len, "%s/password: %s", dir, err_text(e));
        return e;
    }
    snprintf(path, sizeof path, "%s/key.json", dir);
    return keyfile_write(path, key, bytes_of(password, strlen(password)), light, why, why_len);
}

enum err member_files_token(const char *dir)
{
    char token[HEX_SIZE(RANDOM)];
    return create_random(dir, "admin.token", token);
}

enum err member_files_read_line(char *out, size_t cap, const char *path)
{
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return ERR_NOT_FOUND;
    }
    char *line = fgets(out, (int)cap, f);
    fclose(f);
    if (line == NULL) {
        return ERR_MALFORMED;
    }
    out[strcspn(out, "\r\n")] = '\0';
    return OK;
}

enum err member_files_read_token(char *out, size_t cap, const char *dir)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/admin.token", dir);
    return member_files_read_line(out, cap, path);
}

static void ignore_wake(void *arg)
{
    (void)arg;
}

enum err member_files_journal(const char *dir, const struct genesis *g,
                              const struct address *member, bool lost, char *why, size_t why_len)
{
    struct storage *storage = NULL;
    enum storage_verdict verdict;
    const struct storage_options options = {.dir = dir,
                                            .genesis = genesis_hash(g),
                                            .member = *member,
                                            .create = true,
                                            .create_amnesiac = lost,
                                            .wake = ignore_wake};
    TRY(storage_open(&storage, &options, &verdict, why, why_len));
    storage_close(storage);
    return OK;
}
