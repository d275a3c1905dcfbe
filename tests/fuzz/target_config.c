/* node.yaml: refused with a place and a sentence, or read; and what was read, written, is read the
 * same again. */
#include "sequencer/node/config_keys.h"
#include "tests/fuzz/fuzz.h"

static void start(struct config *c)
{
    char why[256];
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < config_keys_n; i++) {
        DEMAND(config_key_set(c, &config_keys[i], config_keys[i].otherwise, "", why, sizeof why) ==
               OK);
    }
}

void fuzz_config(struct bytes in)
{
    struct config one;
    struct config two;
    char why[512];
    memset(why, 'x', sizeof why);
    char far[2 * CONFIG_TEXT];
    memset(far, 'x', sizeof far);
    memcpy(far + sizeof far - 6, "/none", 6);
    DEMAND(config_yaml_read(&one, far, why, sizeof why) == ERR_CONFIG);
    why[0] = '\0';
    start(&one);
    DEMAND(config_yaml_read(&one, "none.yaml", why, sizeof why) == ERR_CONFIG);
    DEMAND(config_yaml_read(&one, "/none.yaml", why, sizeof why) == ERR_CONFIG);
    why[0] = '\0';
    enum err e = config_yaml_read(&one, fuzz_file("node.yaml", in), why, sizeof why);
    DEMAND(memchr(why, '\0', sizeof why) != NULL);
    if (e != OK) {
        DEMAND(e == ERR_CONFIG && why[0] != '\0');
        return;
    }
    for (size_t i = 0; i < config_keys_n; i++) {
        const struct config_key *k = &config_keys[i];
        const char *value = (const char *)&one + k->offset;
        DEMAND(k->kind == CONFIG_MS || k->kind == CONFIG_FLAG ||
               memchr(value, '\0', k->size) != NULL);
    }
    const char *path = fuzz_file("again.yaml", bytes_of("", 0));
    DEMAND(config_write(&one, path) == OK);
    start(&two);
    DEMAND(config_yaml_read(&two, path, why, sizeof why) == OK);
    struct config three = two;
    DEMAND(config_write(&two, path) == OK);
    start(&two);
    DEMAND(config_yaml_read(&two, path, why, sizeof why) == OK);
    DEMAND(memcmp(&two, &three, sizeof two) == 0);
}
