#define _GNU_SOURCE
#include "sequencer/cli/endpoint.h"

#include <stdio.h>

#include "sequencer/cli/devnet_record.h"

void endpoint_choose(char *out, size_t cap, const char *given)
{
    static struct devnet_record record;
    char dir[DEVNET_PATH];
    char why[256];
    snprintf(out, cap, "%s", given != NULL ? given : "http://127.0.0.1:8545");
    if (given != NULL || devnet_record_default_dir(dir) != OK ||
        devnet_record_read(&record, dir, why, sizeof why) != OK) {
        return;
    }
    for (uint32_t i = 0; i < record.n; i++) {
        if (record.node[i].pid > 0) {
            snprintf(out, cap, "%s", record.node[i].rpc);
            return;
        }
    }
}
