#include "tests/fuzz/tls_stranger.h"

#include <openssl/ssl.h>

#include "tests/fuzz/fuzz.h"

enum { ROUNDS = 12, PIECE = 4096 };

static const uint8_t right[] = "\7baton/1";
static const uint8_t other[] = "\7boton/1";
static const uint8_t more[] = "\2h2\7boton/1\7baton/1";

static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *cert = X509_new();
    DEMAND(cert != NULL && ASN1_INTEGER_set(X509_get_serialNumber(cert), 7) == 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -86400);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    DEMAND(X509_set_pubkey(cert, key) == 1 && X509_sign(cert, key, NULL) > 0);
    return cert;
}

/* A server that is asked for a protocol names its own, asked for or not. */
static int name_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                         const unsigned char *in, unsigned in_len, void *how)
{
    const uint8_t *named = (*(const uint8_t *)how & STRANGER_OTHER_ALPN) != 0 ? other : right;
    (void)ssl;
    (void)in;
    (void)in_len;
    *out = named + 1;
    *out_len = named[0];
    return (*(const uint8_t *)how & STRANGER_NO_ALPN) != 0 ? SSL_TLSEXT_ERR_NOACK
                                                           : SSL_TLSEXT_ERR_OK;
}

static void ask_protocols(SSL_CTX *ctx, uint8_t how)
{
    if ((how & STRANGER_NO_ALPN) == 0) {
        const uint8_t *p = (how & STRANGER_OTHER_ALPN) != 0  ? other
                           : (how & STRANGER_MORE_ALPN) != 0 ? more
                                                             : right;
        DEMAND(SSL_CTX_set_alpn_protos(ctx, p, (unsigned)strlen((const char *)p)) == 0);
    }
}

static int trust(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

static SSL_CTX *make_context(uint8_t *how)
{
    bool serves = (*how & STRANGER_SERVES) != 0;
    SSL_CTX *ctx = SSL_CTX_new(serves ? TLS_server_method() : TLS_client_method());
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    X509 *cert = make_certificate(key);
    DEMAND(ctx != NULL);
    if ((*how & STRANGER_BARE) == 0) {
        DEMAND(SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1);
    }
    if ((*how & STRANGER_OLD) != 0) {
        DEMAND(SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION) == 1);
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, trust);
    SSL_CTX_set_alpn_select_cb(ctx, name_protocol, how);
    ask_protocols(ctx, *how);
    X509_free(cert);
    EVP_PKEY_free(key);
    return ctx;
}

static SSL *make_stranger(SSL_CTX *ctx, bool serves)
{
    SSL *ssl = SSL_new(ctx);
    DEMAND(ssl != NULL);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (serves) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
    }
    return ssl;
}

/* What our end says of the other one. */
struct ours {
    struct tls *tls;
    bool done;
    enum err e;
};

static void listen(struct ours *o)
{
    uint8_t out[TLS_RECORD_BYTES];
    size_t n = 0;
    if (o->e == OK && !o->done) {
        o->e = tls_handshake(o->tls, &o->done);
    }
    if (o->e == OK && o->done) {
        o->e = tls_read(o->tls, out, sizeof out, &n);
        DEMAND(n == 0); /* strangers say nothing */
    }
}

static void cross(struct ours *o, SSL *ssl)
{
    uint8_t wire[PIECE];
    int n;
    while ((n = BIO_read(SSL_get_wbio(ssl), wire, sizeof wire)) > 0) {
        DEMAND(tls_feed(o->tls, bytes_of(wire, (size_t)n)) == OK);
    }
    listen(o);
    size_t back;
    while ((back = tls_take(o->tls, wire, sizeof wire)) > 0) {
        DEMAND(BIO_write(SSL_get_rbio(ssl), wire, (int)back) == (int)back);
    }
}

static void check(const struct ours *o, uint8_t how)
{
    bool serves = (how & STRANGER_SERVES) != 0;
    bool named = (how & (STRANGER_NO_ALPN | STRANGER_OTHER_ALPN)) == 0;
    bool good = named && (how & (STRANGER_BARE | STRANGER_OLD)) == 0;
    DEMAND(good || o->e == ERR_MALFORMED || (serves && !o->done));
    if (good) {
        DEMAND(o->done && o->e == ((how & STRANGER_HANGS_UP) != 0 ? ERR_UNREACHABLE : OK));
    }
}

void tls_stranger_meet(const struct tls_context *context, uint8_t how)
{
    bool serves = (how & STRANGER_SERVES) != 0;
    SSL_CTX *ctx = make_context(&how);
    SSL *ssl = make_stranger(ctx, serves);
    struct ours o = {.e = OK};
    DEMAND(tls_make(&o.tls, context, serves ? TLS_CLIENT : TLS_SERVER) == OK);
    listen(&o);
    for (int i = 0; i < ROUNDS; i++) {
        bool done = SSL_do_handshake(ssl) == 1;
        if (done && o.done && (how & STRANGER_HANGS_UP) != 0) {
            SSL_shutdown(ssl);
        }
        cross(&o, ssl);
    }
    check(&o, how);
    tls_free(o.tls);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}
