/* The token and its secret. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sequencer/engine/jwt.h"

static const char digits[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/* Made with Python's hmac and base64 from the same secret and time. */
static const char token[] = "Authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
                            "eyJpYXQiOjE3MDAwMDAwMDB9.uAxdaUtr1_HpYPtNDLNlQ_sHMiP5eBV-ra8EjL3ScS8";

static enum err read_text(struct jwt_secret *out, const char *text, mode_t mode, char why[200])
{
    char path[] = "/tmp/baton-jwt-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    enum err e = jwt_read(out, path, why, 200);
    unlink(path);
    return e;
}

static void a_known_token(void **state)
{
    (void)state;
    struct jwt_secret s;
    char header[JWT_HEADER_SIZE];
    assert_true(hex_decode(s.b, sizeof s.b, digits));
    assert_int_equal(jwt_header(header, &s, 1700000000), OK);
    assert_string_equal(header, token);
    assert_int_equal(jwt_header(header, &s, 1700000001), OK);
    assert_string_not_equal(header, token);
    assert_int_equal(jwt_header(header, &s, UINT64_MAX), OK);
    assert_true(strlen(header) < JWT_HEADER_SIZE - 1);
}

static void a_secret_is_64_digits(void **state)
{
    (void)state;
    char why[200], text[400];
    struct jwt_secret s, same;
    static const char *const forms[] = {"%s", "%s\n", "0x%s", " \t0x%s\r\n"};
    assert_true(hex_decode(same.b, sizeof same.b, digits));
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const char *at = strchr(forms[i], '%');
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - forms[i]), forms[i], digits, at + 2);
        assert_int_equal(read_text(&s, text, 0600, why), OK);
        assert_memory_equal(s.b, same.b, sizeof s.b);
    }
    static const char *const bad[] = {"", "\n", "0x", "00", "0x0x", "not hex at all"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(read_text(&s, bad[i], 0600, why), ERR_CONFIG);
        assert_non_null(strstr(why, "32 bytes"));
    }
    snprintf(text, sizeof text, "%.63s", digits);
    assert_int_equal(read_text(&s, text, 0600, why), ERR_CONFIG);
    snprintf(text, sizeof text, "%s00", digits);
    assert_int_equal(read_text(&s, text, 0600, why), ERR_CONFIG);
    snprintf(text, sizeof text, "%.63sg", digits);
    assert_int_equal(read_text(&s, text, 0600, why), ERR_CONFIG);
    snprintf(text, sizeof text, "%s%100s%s", digits, "", digits);
    assert_int_equal(read_text(&s, text, 0600, why), ERR_CONFIG);
}

static void others_may_not_read_it(void **state)
{
    (void)state;
    static const mode_t open_to[] = {0640, 0604, 0620, 0602, 0610, 0601, 0644, 0666};
    char why[200];
    struct jwt_secret s;
    for (size_t i = 0; i < sizeof open_to / sizeof *open_to; i++) {
        assert_int_equal(read_text(&s, digits, open_to[i], why), ERR_REFUSED);
        assert_null(strstr(why, "000102"));
    }
    assert_int_equal(read_text(&s, digits, 0400, why), OK);
}

static void no_file(void **state)
{
    (void)state;
    char why[200];
    struct jwt_secret s;
    assert_int_equal(jwt_read(&s, "/tmp/baton-no-such-file", why, sizeof why), ERR_NOT_FOUND);
    assert_int_equal(jwt_read(&s, "/tmp", why, sizeof why), ERR_CONFIG);
    assert_int_equal(jwt_read(&s, "/dev/null", why, sizeof why), ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_token),
        cmocka_unit_test(a_secret_is_64_digits),
        cmocka_unit_test(others_may_not_read_it),
        cmocka_unit_test(no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
