#define _GNU_SOURCE
#include "tests/unit/p2p/cmocka.inc.h"

#include <stdlib.h>

#include <openssl/ssl.h>

#include "p2p/tls.h"

struct pair {
    struct tls_context *context[2];
    struct tls *side[2];
};

static int setup(void **state)
{
    struct pair *p = calloc(1, sizeof *p);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tls_context_make(&p->context[i]), OK);
        assert_int_equal(tls_make(&p->side[i], p->context[i], (enum tls_side)i), OK);
    }
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct pair *p = *state;
    for (int i = 0; i < 2; i++) {
        tls_free(p->side[i]);
        tls_context_free(p->context[i]);
    }
    free(p);
    return 0;
}

/* Moves what one engine has to say into the other, one byte at a time, stepping it at each. */
static enum err carry(struct tls *from, struct tls *to, bool *done)
{
    uint8_t b;
    while (tls_take(from, &b, 1) == 1) {
        TRY(tls_feed(to, bytes_of(&b, 1)));
        if (!*done) {
            TRY(tls_handshake(to, done));
        }
    }
    return OK;
}

static void shake_hands(struct pair *p)
{
    bool done[2] = {false, false};
    assert_int_equal(tls_handshake(p->side[TLS_CLIENT], &done[TLS_CLIENT]), OK);
    for (int round = 0; round < 4; round++) {
        assert_int_equal(carry(p->side[0], p->side[1], &done[1]), OK);
        assert_int_equal(carry(p->side[1], p->side[0], &done[0]), OK);
    }
    assert_true(done[0] && done[1]);
}

static void test_byte_by_byte(void **state)
{
    struct pair *p = *state;
    shake_hands(p);
    const char text[] = "a vote";
    uint8_t out[64];
    size_t n = 0;
    assert_int_equal(tls_write(p->side[0], bytes_of(text, sizeof text)), OK);
    uint8_t b;
    while (tls_take(p->side[0], &b, 1) == 1) {
        assert_int_equal(n, 0);
        assert_int_equal(tls_feed(p->side[1], bytes_of(&b, 1)), OK);
        assert_int_equal(tls_read(p->side[1], out, sizeof out, &n), OK);
    }
    assert_int_equal(n, sizeof text);
    assert_memory_equal(out, text, sizeof text);
    assert_int_equal(tls_pending(p->side[1]), 0); /* no ticket was sent by the server */
}

static void test_exporter(void **state)
{
    struct pair *p = *state;
    struct pair *q = NULL;
    struct hash a, b, c;
    shake_hands(p);
    setup((void **)&q);
    shake_hands(q);
    assert_int_equal(tls_exporter(p->side[0], &a), OK);
    assert_int_equal(tls_exporter(p->side[1], &b), OK);
    assert_int_equal(tls_exporter(q->side[0], &c), OK);
    assert_true(hash_equal(&a, &b));
    assert_false(hash_equal(&a, &c));
    teardown((void **)&q);
}

static void test_altered_record(void **state)
{
    struct pair *p = *state;
    shake_hands(p);
    uint8_t wire[256];
    uint8_t out[64];
    size_t n = 0;
    assert_int_equal(tls_write(p->side[0], bytes_of("vote", 4)), OK);
    size_t len = tls_take(p->side[0], wire, sizeof wire);
    wire[len - 1] ^= 1;
    assert_int_equal(tls_feed(p->side[1], bytes_of(wire, len)), OK);
    assert_int_equal(tls_read(p->side[1], out, sizeof out, &n), ERR_MALFORMED);
    assert_int_equal(n, 0);
}

static void test_garbage(void **state)
{
    struct pair *p = *state;
    bool done = false;
    assert_int_equal(tls_feed(p->side[TLS_SERVER], bytes_of("GET / HTTP/1.1\r\n\r\n", 18)), OK);
    assert_int_equal(tls_handshake(p->side[TLS_SERVER], &done), ERR_MALFORMED);
    assert_false(done);
}

/* A client of our own making against the engine as server; the first error of the server. */
static enum err serve_client(struct tls *server, SSL *client)
{
    uint8_t buf[16384];
    bool done = false;
    for (int round = 0; round < 6 && !done; round++) {
        (void)SSL_do_handshake(client);
        int n = BIO_read(SSL_get_wbio(client), buf, sizeof buf);
        TRY(tls_feed(server, bytes_of(buf, n > 0 ? (size_t)n : 0)));
        TRY(tls_handshake(server, &done));
        size_t m = tls_take(server, buf, sizeof buf);
        if (m > 0) {
            BIO_write(SSL_get_rbio(client), buf, (int)m);
        }
    }
    return done ? OK : ERR_NOT_READY;
}

enum flaw { FLAW_NONE, FLAW_CERTIFICATE, FLAW_ALPN, FLAW_VERSION };

static enum err try_client(struct tls *server, enum flaw flaw)
{
    static const uint8_t right[] = "\x07"
                                   "baton/1";
    static const uint8_t wrong[] = "\x08"
                                   "http/1.1";
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    X509 *cert = X509_new();
    X509_set_pubkey(cert, key);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 60);
    X509_sign(cert, key, NULL);
    if (flaw != FLAW_CERTIFICATE) {
        SSL_CTX_use_certificate(ctx, cert);
        SSL_CTX_use_PrivateKey(ctx, key);
    }
    if (flaw == FLAW_VERSION) {
        SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    }
    const uint8_t *alpn = flaw == FLAW_ALPN ? wrong : right;
    SSL_CTX_set_alpn_protos(ctx, alpn, alpn[0] + 1u);
    SSL *client = SSL_new(ctx);
    SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(client);
    enum err e = serve_client(server, client);
    SSL_free(client);
    SSL_CTX_free(ctx);
    X509_free(cert);
    EVP_PKEY_free(key);
    return e;
}

static void test_other_client(void **state)
{
    struct pair *p = *state;
    assert_int_equal(try_client(p->side[TLS_SERVER], FLAW_NONE), OK);
}

static void test_no_certificate(void **state)
{
    struct pair *p = *state;
    assert_int_equal(try_client(p->side[TLS_SERVER], FLAW_CERTIFICATE), ERR_MALFORMED);
}

static void test_wrong_alpn(void **state)
{
    struct pair *p = *state;
    assert_int_equal(try_client(p->side[TLS_SERVER], FLAW_ALPN), ERR_MALFORMED);
}

static void test_old_version(void **state)
{
    struct pair *p = *state;
    assert_int_equal(try_client(p->side[TLS_SERVER], FLAW_VERSION), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_byte_by_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exporter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_altered_record, setup, teardown),
        cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_client, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_certificate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_alpn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old_version, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
