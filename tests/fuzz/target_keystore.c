#define _GNU_SOURCE
/* Key files: refused, or a key store. Where its cost is small it is opened too, with an empty
 * password: then the key is a key, and the address its own or none. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sequencer/node/keyfile.h"
#include "tests/fuzz/fuzz.h"

enum { CHEAP = 64 };

static uint64_t member_of(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;
    return json_object_object_get_ex(o, key, &v) ? (uint64_t)json_object_get_int64(v) : 0;
}

/* Derivation takes N r p steps: what a file may ask for is seconds, too long here. */
static bool is_cheap(struct bytes in)
{
    char *text = malloc(in.n + 1);
    DEMAND(text != NULL);
    memcpy(text, in.p, in.n);
    text[in.n] = '\0';
    struct json_object *o = json_tokener_parse(text);
    struct json_object *crypto = NULL;
    struct json_object *p = NULL;
    bool there = json_object_is_type(o, json_type_object) &&
                 (json_object_object_get_ex(o, "crypto", &crypto) ||
                  json_object_object_get_ex(o, "Crypto", &crypto)) &&
                 json_object_is_type(crypto, json_type_object) &&
                 json_object_object_get_ex(crypto, "kdfparams", &p) &&
                 json_object_is_type(p, json_type_object);
    bool cheap = there && member_of(p, "n") <= CHEAP && member_of(p, "c") <= 100 &&
                 member_of(p, "r") <= 8 && member_of(p, "p") <= 4;
    json_object_put(o);
    free(text);
    return cheap;
}

static enum err read_both(const char *key_path, const char *password_path)
{
    struct secret_key key;
    struct address address;
    char why[512] = "";
    enum err e = keyfile_read(&key, &address, key_path, password_path, why, sizeof why);
    DEMAND(e == OK || why[0] != '\0');
    return e;
}

/* Who may read a file is looked at before what stands in it. */
static void check_doors(const char *path)
{
    char other[160];
    snprintf(other, sizeof other, "%s.link", path);
    (void)unlink(other);
    DEMAND(symlink(path, other) == 0 && read_both(other, path) == ERR_REFUSED);
    DEMAND(unlink(other) == 0 && read_both(other, path) == ERR_NOT_FOUND);
    DEMAND(chmod(path, 0644) == 0 && read_both(path, path) == ERR_REFUSED);
    DEMAND(chmod(path, 0600) == 0 && read_both("/", path) == ERR_REFUSED);
    if (geteuid() == 0) {
        DEMAND(chown(path, 1, (gid_t)-1) == 0 && read_both(path, path) == ERR_REFUSED);
        DEMAND(chown(path, 0, (gid_t)-1) == 0);
    }
    snprintf(other, sizeof other, "%s/none", path);
    DEMAND(read_both(other, path) == ERR_IO);
}

void fuzz_keystore(struct bytes in)
{
    char key_path[128];
    struct address address = {{0}};
    struct address opened = {{0}};
    struct secret_key key;
    char why[512] = "";
    snprintf(key_path, sizeof key_path, "%s", fuzz_file("key.json", in));
    if (in.n % 64 == 0) {
        check_doors(key_path);
    }
    enum err e = keyfile_address(&address, key_path, why, sizeof why);
    if (e != OK) {
        DEMAND(why[0] != '\0');
        return;
    }
    if (!is_cheap(in)) {
        return;
    }
    DEMAND(read_both(key_path, "/none") == ERR_NOT_FOUND);
    const char *password = fuzz_file("password", bytes_of("\r\n", in.n % 3));
    fuzz_epoch(); /* the key library */
    e = keyfile_read(&key, &opened, key_path, password, why, sizeof why);
    DEMAND(e == OK || why[0] != '\0');
    if (e == OK) {
        static const struct address none; /* a file may leave its address out */
        struct address own;
        DEMAND(key_check(&key) == OK && key_address(&own, &key) == OK);
        DEMAND(address_equal(&own, &opened) || address_equal(&none, &opened));
    }
}
