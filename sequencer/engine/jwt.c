#define _GNU_SOURCE
#include "sequencer/engine/jwt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* One byte more than the longest file that is right: 0x, 64 digits, some white space. */
enum { FILE_ROOM = 129, OTHERS = 077, DIGITS = 2 * JWT_SECRET_BYTES, MAC_BYTES = 32 };

static const char spaces[] = " \t\r\n";

/* {"alg":"HS256","typ":"JWT"} */
static const char header_part[] = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

static enum err check_file(int fd, const char *path, char *why, size_t why_len)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        snprintf(why, why_len, "the secret %s cannot be read", path);
        return ERR_IO;
    }
    if (!S_ISREG(st.st_mode)) {
        snprintf(why, why_len, "the secret %s is no file", path);
        return ERR_CONFIG;
    }
    if ((st.st_mode & OTHERS) != 0) {
        snprintf(why, why_len, "the secret %s is open to others (mode %o): chmod 600 it", path,
                 (unsigned)(st.st_mode & 0777));
        return ERR_REFUSED;
    }
    return OK;
}

/* The digits between the white space around them. */
static struct bytes trimmed(const char *text, size_t n)
{
    size_t from = 0;
    while (from < n && memchr(spaces, text[from], sizeof spaces - 1) != NULL) {
        from++;
    }
    while (n > from && memchr(spaces, text[n - 1], sizeof spaces - 1) != NULL) {
        n--;
    }
    if (n - from >= 2 && text[from] == '0' && text[from + 1] == 'x') {
        from += 2;
    }
    return bytes_of(text + from, n - from);
}

static enum err parse(struct jwt_secret *out, const char *text, size_t n)
{
    struct bytes digits = trimmed(text, n);
    size_t got = 0;
    bool good = n < FILE_ROOM && digits.n == DIGITS && hex_decode_upto(out->b, sizeof out->b, &got,
                                                      (const char *)digits.p, digits.n);
    return good && got == sizeof out->b ? OK : ERR_CONFIG;
}

enum err jwt_read(struct jwt_secret *out, const char *path, char *why, size_t why_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        enum err missing = errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
        snprintf(why, why_len, "the secret %s %s", path,
                 missing == ERR_NOT_FOUND ? "does not exist" : "cannot be opened");
        return missing;
    }
    char text[FILE_ROOM];
    ssize_t n = -1;
    enum err err = check_file(fd, path, why, why_len);
    if (err == OK && (n = read(fd, text, sizeof text)) < 0) {
        snprintf(why, why_len, "the secret %s cannot be read", path);
        err = ERR_IO;
    }
    close(fd);
    if (err == OK && (err = parse(out, text, (size_t)n)) != OK) {
        snprintf(why, why_len, "the secret %s is not 32 bytes in hex", path);
    }
    OPENSSL_cleanse(text, sizeof text);
    return err;
}

/* base64url without padding (RFC 7515, 2); returns the length. `out` holds 4 * (n / 3 + 1) + 1. */
static size_t base64url(char *out, const uint8_t *p, size_t n)
{
    size_t len = (size_t)EVP_EncodeBlock((unsigned char *)out, p, (int)n);
    while (len > 0 && out[len - 1] == '=') {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    }
    out[len] = '\0';
    return len;
}

enum err jwt_header(char out[JWT_HEADER_SIZE], const struct jwt_secret *s, uint64_t iat_s)
{
    char claims[40];
    char claims64[4 * (sizeof claims / 3 + 1) + 1];
    uint8_t mac[MAC_BYTES];
    char mac64[4 * (sizeof mac / 3 + 1) + 1];
    unsigned mac_len = 0;
    int n = snprintf(claims, sizeof claims, "{\"iat\":%" PRIu64 "}", iat_s);
    base64url(claims64, (const uint8_t *)claims, (size_t)n);
    n = snprintf(out, JWT_HEADER_SIZE, "%s.%s", header_part, claims64);
    if (HMAC(EVP_sha256(), s->b, sizeof s->b, (const uint8_t *)out, (size_t)n, mac, &mac_len) ==
            NULL ||
        mac_len != sizeof mac) {
        return ERR_CRYPTO;
    }
    base64url(mac64, mac, sizeof mac);
    snprintf(out, JWT_HEADER_SIZE, "Authorization: Bearer %s.%s.%s", header_part, claims64, mac64);
    return OK;
}

void jwt_forget(struct jwt_secret *s)
{
    OPENSSL_cleanse(s, sizeof *s);
}
