/* genesis.json: refused with a place, or a chain; and the chain, written, is the same chain. */
#include <stdio.h>

#include "sequencer/node/genesis_file.h"
#include "tests/fuzz/fuzz.h"

void fuzz_genesis(struct bytes in)
{
    static struct genesis one;
    static struct genesis two;
    char why[512] = "";
    fuzz_epoch(); /* the key library */
    DEMAND(genesis_file_read(&one, "/none", why, sizeof why) == ERR_CONFIG);
    DEMAND(genesis_file_read(&one, "/none", why, 8) == ERR_CONFIG && memchr(why, '\0', 8) != NULL);
    why[0] = '\0';
    enum err e = genesis_file_read(&one, fuzz_file("genesis.json", in), why, sizeof why);
    if (e != OK) {
        DEMAND(why[0] != '\0' && memchr(why, '\0', sizeof why) != NULL);
        DEMAND(in.n % 16 != 0 || /* slow: a megabyte is made room for */
               genesis_file_read(&one, fuzz_file("genesis.json", in), why, 8) == e);
        return;
    }
    DEMAND(one.n >= 1 && one.n <= LIMIT_MEMBERS && one.allocs <= GENESIS_ALLOCS);
    const char *path = fuzz_file("again.json", bytes_of("", 0));
    DEMAND(genesis_file_write(&one, path, why, sizeof why) == OK);
    DEMAND(genesis_file_read(&two, path, why, sizeof why) == OK);
    struct hash a = genesis_hash(&one);
    struct hash b = genesis_hash(&two);
    DEMAND(hash_equal(&a, &b) && hash_equal(&one.payload, &two.payload));
    genesis_free(&one);
    genesis_free(&two);
}
