#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sequencer/cli/cli.h"
#include "sequencer/node/node.h"

/* A devnet says whose child this is in BATON_PARENT: such a node must not outlive it. Returns
 * false when the parent has gone already. */
static bool tie_to_parent(void)
{
    const char *parent = getenv("BATON_PARENT");
    if (parent == NULL) {
        return true;
    }
    long pid = strtol(parent, NULL, 10);
    unsetenv("BATON_PARENT");
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && (long)getppid() == pid;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

int cmd_node(int argc, char **argv)
{
    static struct config config;
    char why[512] = "";
    if (wants_help(argc, argv)) {
        config_print_help();
        return CLI_DONE;
    }
    if (!tie_to_parent()) {
        return cli_fail(CLI_FAILED, "node: the devnet that started it has gone");
    }
    enum err e = config_load(&config, argc, argv, why, sizeof why);
    if (e != OK) {
        return cli_fail(cli_exit_of(e), "node: %s", why[0] != '\0' ? why : err_text(e));
    }
    return node_run(&config);
}
