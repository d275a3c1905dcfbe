#define _GNU_SOURCE
/* Where the programs are that a devnet starts and that are not its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sequencer/cli/devnet.h"

/* The first executable of that name in PATH. */
static bool in_path(char path[DEVNET_PATH], const char *name)
{
    const char *at = getenv("PATH");
    while (at != NULL && *at != '\0') {
        size_t n = strcspn(at, ":");
        snprintf(path, DEVNET_PATH, "%.*s/%s", (int)n, at, name);
        if (access(path, X_OK) == 0) {
            return true;
        }
        at += n + (at[n] == ':');
    }
    return false;
}

bool devnet_find_program(char path[DEVNET_PATH], const char *variable, const char *beside,
                         const char *name)
{
    size_t n = DEVNET_PATH;
    const char *given = getenv(variable);
    if (given != NULL) {
        snprintf(path, DEVNET_PATH, "%s", given);
        return access(path, R_OK) == 0;
    }
    if (uv_exepath(path, &n) == 0 && strrchr(path, '/') != NULL) {
        size_t at = (size_t)(strrchr(path, '/') + 1 - path);
        snprintf(path + at, DEVNET_PATH - at, "%s", beside);
        if (access(path, R_OK) == 0) {
            return true;
        }
    }
    return name != NULL && in_path(path, name);
}
