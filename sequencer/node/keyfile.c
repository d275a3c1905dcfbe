/* Keystore v3 as a file: who may read it is checked before what stands in it. */
#define _GNU_SOURCE
#include "sequencer/node/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEYFILE_BYTES = 65536, HEX_TEXT = 160 };

/* ---- reading a private file ------------------------------------------------------------------ */

static enum err check_private(int fd, const char *path, char *why, size_t why_len)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        snprintf(why, why_len, "%s is no regular file; give the path of the file itself", path);
        return ERR_REFUSED;
    }
    if (st.st_uid != geteuid()) {
        snprintf(why, why_len,
                 "%s belongs to another user; `chown` it to the one that runs the node", path);
        return ERR_REFUSED;
    }
    if ((st.st_mode & 077) != 0) {
        snprintf(why, why_len, "%s is readable by others (mode %03o); run `chmod 600 %s`", path,
                 (unsigned)(st.st_mode & 0777), path);
        return ERR_REFUSED;
    }
    return OK;
}

static enum err open_private(int *out, const char *path, char *why, size_t why_len)
{
    *out = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (*out >= 0) {
        enum err e = check_private(*out, path, why, why_len);
        if (e != OK) {
            close(*out);
        }
        return e;
    }
    if (errno == ELOOP) {
        snprintf(why, why_len, "%s is a symbolic link; give the path of the file itself", path);
        return ERR_REFUSED;
    }
    if (errno == ENOENT) {
        snprintf(why, why_len, "%s is missing; make a key with `baton keys new` or give its path",
                 path);
        return ERR_NOT_FOUND;
    }
    snprintf(why, why_len, "%s cannot be opened (errno %d)", path, errno);
    return ERR_IO;
}

/* Zero-terminated; the caller cleanses. */
static enum err read_private(char *out, size_t cap, size_t *out_n, const char *path, char *why,
                             size_t why_len)
{
    int fd;
    TRY(open_private(&fd, path, why, why_len));
    size_t n = 0;
    ssize_t got = 1;
    while (got > 0 && n < cap - 1) {
        got = read(fd, out + n, cap - 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    out[n] = '\0';
    *out_n = n;
    if (got < 0 || n == cap - 1) {
        snprintf(why, why_len, "%s %s", path,
                 got < 0 ? "cannot be read" : "is too large for what it should be");
        return got < 0 ? ERR_IO : ERR_MALFORMED;
    }
    return OK;
}

/* ---- keystore JSON --------------------------------------------------------------------------- */

static struct json_object *member(struct json_object *o, const char *key)
{
    struct json_object *found = NULL;
    if (!json_object_is_type(o, json_type_object)) {
        return NULL;
    }
    json_object_object_get_ex(o, key, &found);
    return found;
}

static const char *text_of(struct json_object *o, const char *key)
{
    struct json_object *t = member(o, key);
    return json_object_is_type(t, json_type_string) ? json_object_get_string(t) : "";
}

static bool number_of(struct json_object *o, const char *key, uint64_t most, uint64_t *out)
{
    struct json_object *v = member(o, key);
    int64_t n = json_object_get_int64(v);
    *out = (uint64_t)n;
    return json_object_is_type(v, json_type_int) && n > 0 && (uint64_t)n <= most;
}

static bool read_uuid(uint8_t out[16], const char *text)
{
    char digits[40];
    size_t n = 0;
    for (; *text != '\0' && n + 1 < sizeof digits; text++) {
        if (*text != '-') {
            digits[n++] = *text;
        }
    }
    digits[n] = '\0';
    return hex_decode(out, 16, digits);
}

static bool read_kdf(struct keystore *ks, struct json_object *crypto)
{
    struct json_object *p = member(crypto, "kdfparams");
    const char *kdf = text_of(crypto, "kdf");
    const char *salt = text_of(p, "salt");
    uint64_t r = 0;
    uint64_t parallel = 0;
    uint64_t dklen = 0;
    size_t salt_n = 0;
    bool ok = hex_decode_upto(ks->salt, sizeof ks->salt, &salt_n, salt, strlen(salt)) &&
              number_of(p, "dklen", 1024, &dklen) && dklen == 32;
    ks->salt_len = (uint32_t)salt_n;
    if (strcmp(kdf, "scrypt") == 0) {
        ks->kdf = KDF_SCRYPT;
        ok = ok && number_of(p, "n", UINT32_MAX, &ks->n) && number_of(p, "r", 1024, &r) &&
             number_of(p, "p", 1024, &parallel);
    } else if (strcmp(kdf, "pbkdf2") == 0) {
        ks->kdf = KDF_PBKDF2;
        ok = ok && number_of(p, "c", UINT32_MAX, &ks->n) &&
             strcmp(text_of(p, "prf"), "hmac-sha256") == 0;
    } else {
        return false;
    }
    ks->r = (uint32_t)r;
    ks->p = (uint32_t)parallel;
    return ok;
}

static bool read_keystore(struct keystore *ks, struct json_object *o)
{
    struct json_object *crypto = member(o, "crypto");
    uint64_t version = 0;
    crypto = crypto != NULL ? crypto : member(o, "Crypto");
    memset(ks, 0, sizeof *ks);
    return number_of(o, "version", 3, &version) && version == 3 &&
           read_uuid(ks->id, text_of(o, "id")) &&
           hex_decode(ks->address.b, sizeof ks->address.b, text_of(o, "address")) &&
           strcmp(text_of(crypto, "cipher"), "aes-128-ctr") == 0 &&
           hex_decode(ks->iv, sizeof ks->iv, text_of(member(crypto, "cipherparams"), "iv")) &&
           hex_decode(ks->ciphertext, sizeof ks->ciphertext, text_of(crypto, "ciphertext")) &&
           hex_decode(ks->mac.b, sizeof ks->mac.b, text_of(crypto, "mac")) && read_kdf(ks, crypto);
}

static enum err load(struct keystore *ks, const char *path, char *why, size_t why_len)
{
    char *text = malloc(KEYFILE_BYTES);
    size_t n = 0;
    if (text == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err e = read_private(text, KEYFILE_BYTES, &n, path, why, why_len);
    if (e == OK) {
        struct json_object *o = json_tokener_parse(text);
        if (!read_keystore(ks, o)) {
            snprintf(why, why_len,
                     "%s is no Ethereum keystore of version 3; make one with `baton keys new`",
                     path);
            e = ERR_MALFORMED;
        }
        json_object_put(o);
    }
    free(text);
    return e;
}

enum err keyfile_address(struct address *out, const char *path, char *why, size_t why_len)
{
    struct keystore ks;
    TRY(load(&ks, path, why, why_len));
    *out = ks.address;
    return OK;
}

enum err keyfile_read(struct secret_key *out, struct address *address, const char *path,
                      const char *password_path, char *why, size_t why_len)
{
    struct keystore ks;
    char password[1024];
    size_t n = 0;
    TRY(load(&ks, path, why, why_len));
    enum err e = read_private(password, sizeof password, &n, password_path, why, why_len);
    if (e == ERR_NOT_FOUND) {
        snprintf(why, why_len, "%s is missing; put the password of %s there, mode 600",
                 password_path, path);
    }
    while (n > 0 && (password[n - 1] == '\n' || password[n - 1] == '\r')) {
        n--;
    }
    if (e == OK) {
        e = keystore_decrypt(out, &ks, bytes_of(password, n));
        if (e != OK) {
            snprintf(why, why_len, "%s: %s", path,
                     e == ERR_REFUSED ? "the password does not open it; look into the password file"
                                      : err_text(e));
        }
    }
    OPENSSL_cleanse(password, sizeof password);
    if (e == OK) {
        *address = ks.address;
    }
    return e;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_hex(struct json_object *o, const char *key, const uint8_t *p, size_t n)
{
    char text[HEX_TEXT];
    hex_encode(text, p, n);
    json_object_object_add(o, key, json_object_new_string(text + 2));
}

static struct json_object *kdf_params(const struct keystore *ks)
{
    struct json_object *p = json_object_new_object();
    json_object_object_add(p, "dklen", json_object_new_int(32));
    if (ks->kdf == KDF_SCRYPT) {
        json_object_object_add(p, "n", json_object_new_int64((int64_t)ks->n));
        json_object_object_add(p, "p", json_object_new_int64(ks->p));
        json_object_object_add(p, "r", json_object_new_int64(ks->r));
    } else {
        json_object_object_add(p, "c", json_object_new_int64((int64_t)ks->n));
        json_object_object_add(p, "prf", json_object_new_string("hmac-sha256"));
    }
    put_hex(p, "salt", ks->salt, ks->salt_len);
    return p;
}

static struct json_object *keystore_doc(const struct keystore *ks)
{
    char hex[HEX_TEXT];
    char id[40];
    struct json_object *o = json_object_new_object();
    struct json_object *crypto = json_object_new_object();
    struct json_object *iv = json_object_new_object();
    put_hex(o, "address", ks->address.b, sizeof ks->address.b);
    json_object_object_add(crypto, "cipher", json_object_new_string("aes-128-ctr"));
    put_hex(crypto, "ciphertext", ks->ciphertext, sizeof ks->ciphertext);
    put_hex(iv, "iv", ks->iv, sizeof ks->iv);
    json_object_object_add(crypto, "cipherparams", iv);
    json_object_object_add(crypto, "kdf",
                           json_object_new_string(ks->kdf == KDF_SCRYPT ? "scrypt" : "pbkdf2"));
    json_object_object_add(crypto, "kdfparams", kdf_params(ks));
    put_hex(crypto, "mac", ks->mac.b, sizeof ks->mac.b);
    json_object_object_add(o, "crypto", crypto);
    hex_encode(hex, ks->id, sizeof ks->id);
    snprintf(id, sizeof id, "%.8s-%.4s-%.4s-%.4s-%.12s", hex + 2, hex + 10, hex + 14, hex + 18,
             hex + 22);
    json_object_object_add(o, "id", json_object_new_string(id));
    json_object_object_add(o, "version", json_object_new_int(3));
    return o;
}

enum err keyfile_write(const char *path, const struct secret_key *key, struct bytes password,
                       bool light, char *why, size_t why_len)
{
    struct keystore ks;
    enum err e = keystore_encrypt(&ks, key, password, light);
    if (e != OK) {
        snprintf(why, why_len, "the key cannot be encrypted: %s", err_text(e));
        return e;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        bool exists = errno == EEXIST;
        snprintf(why, why_len,
                 exists ? "%s exists already; keys are never overwritten, choose another name"
                        : "%s cannot be made; is the folder there?",
                 path);
        return exists ? ERR_IN_USE : ERR_IO;
    }
    struct json_object *o = keystore_doc(&ks);
    const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
    size_t n = strlen(text);
    bool ok = write(fd, text, n) == (ssize_t)n && write(fd, "\n", 1) == 1 && fsync(fd) == 0;
    json_object_put(o);
    if (close(fd) != 0 || !ok) {
        unlink(path);
        snprintf(why, why_len, "%s cannot be written; is the disk full?", path);
        return ERR_IO;
    }
    return OK;
}
