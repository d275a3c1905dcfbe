#include "p2p/tls.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

struct tls_context {
    SSL_CTX *ctx[2]; /* by enum tls_side */
};

struct tls {
    SSL *ssl;
    BIO *in;
    BIO *out;
};

static const uint8_t alpn[] = {7, 'b', 'a', 't', 'o', 'n', '/', '1'};
static const char exporter_label[] = "EXPORTER-baton-hello";
enum { CERTIFICATE_LIST_BYTES = 16384, CERTIFICATE_SECONDS = 10 * 365 * 86400 };

static int accept_certificate(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *arg)
{
    unsigned char *chosen = NULL;
    (void)ssl;
    (void)arg;
    int r = SSL_select_next_proto(&chosen, out_len, alpn, sizeof alpn, in, in_len);
    *out = chosen;
    return r == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool fill_certificate(X509 *cert, EVP_PKEY *key)
{
    X509_NAME *name = X509_get_subject_name(cert);
    return X509_set_version(cert, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -86400) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(cert), CERTIFICATE_SECONDS) != NULL &&
           X509_set_pubkey(cert, key) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"baton", -1,
                                      -1, 0) == 1 &&
           X509_set_issuer_name(cert, name) == 1 && X509_sign(cert, key, NULL) > 0;
}

static bool set_profile(SSL_CTX *ctx)
{
    static char groups[] = "X25519:P-256"; /* not const: OpenSSL's macros cast it to char * */
    static char signatures[] = "ed25519:ECDSA+SHA256";
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_max_cert_list(ctx, CERTIFICATE_LIST_BYTES);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_certificate);
    SSL_CTX_set_verify_depth(ctx, 1);
    SSL_CTX_set_alpn_select_cb(ctx, select_alpn, NULL);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 0) == 1 && SSL_CTX_set_max_early_data(ctx, 0) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:"
                                         "TLS_AES_256_GCM_SHA384") == 1 &&
           SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
           SSL_CTX_set1_sigalgs_list(ctx, signatures) == 1 &&
           SSL_CTX_set_alpn_protos(ctx, alpn, sizeof alpn) == 0;
}

static SSL_CTX *make_side(const SSL_METHOD *method, X509 *cert, EVP_PKEY *key)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (ctx != NULL && set_profile(ctx) && SSL_CTX_use_certificate(ctx, cert) == 1 &&
        SSL_CTX_use_PrivateKey(ctx, key) == 1) {
        return ctx;
    }
    SSL_CTX_free(ctx);
    return NULL;
}

enum err tls_context_make(struct tls_context **out)
{
    struct tls_context *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return ERR_NO_MEMORY;
    }
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    X509 *cert = X509_new();
    if (key != NULL && cert != NULL && fill_certificate(cert, key)) {
        c->ctx[TLS_CLIENT] = make_side(TLS_client_method(), cert, key);
        c->ctx[TLS_SERVER] = make_side(TLS_server_method(), cert, key);
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    if (c->ctx[TLS_CLIENT] == NULL || c->ctx[TLS_SERVER] == NULL) {
        tls_context_free(c);
        return ERR_CRYPTO;
    }
    *out = c;
    return OK;
}

void tls_context_free(struct tls_context *c)
{
    if (c != NULL) {
        SSL_CTX_free(c->ctx[TLS_CLIENT]);
        SSL_CTX_free(c->ctx[TLS_SERVER]);
        free(c);
    }
}

enum err tls_make(struct tls **out, const struct tls_context *c, enum tls_side side)
{
    struct tls *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return ERR_NO_MEMORY;
    }
    t->ssl = SSL_new(c->ctx[side]);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (t->ssl == NULL || t->in == NULL || t->out == NULL) {
        BIO_free(t->in);
        BIO_free(t->out);
        SSL_free(t->ssl);
        free(t);
        return ERR_CRYPTO;
    }
    SSL_set_bio(t->ssl, t->in, t->out);
    if (side == TLS_CLIENT) {
        SSL_set_connect_state(t->ssl);
    } else {
        SSL_set_accept_state(t->ssl);
    }
    *out = t;
    return OK;
}

void tls_free(struct tls *t)
{
    if (t != NULL) {
        SSL_free(t->ssl);
        free(t);
    }
}

enum err tls_feed(struct tls *t, struct bytes in)
{
    size_t n = 0;
    if (in.n > 0 && BIO_write_ex(t->in, in.p, in.n, &n) != 1) { /* all or nothing */
        return ERR_NO_MEMORY;
    }
    return OK;
}

/* That the version is 1.3 and that a certificate was shown, the context sees to: no handshake
 * finishes without. ALPN may be left out by either side. */
static enum err check_profile(const SSL *ssl)
{
    const unsigned char *name = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(ssl, &name, &len);
    return len == alpn[0] && memcmp(name, alpn + 1, len) == 0 ? OK : ERR_MALFORMED;
}

enum err tls_handshake(struct tls *t, bool *done)
{
    ERR_clear_error();
    int r = SSL_do_handshake(t->ssl);
    *done = r == 1;
    if (r == 1) {
        return check_profile(t->ssl);
    }
    /* Memory takes all that is written: there is no waiting for that. */
    return SSL_get_error(t->ssl, r) == SSL_ERROR_WANT_READ ? OK : ERR_MALFORMED;
}

enum err tls_read(struct tls *t, uint8_t *out, size_t cap, size_t *out_n)
{
    *out_n = 0;
    ERR_clear_error();
    int r = SSL_read_ex(t->ssl, out, cap, out_n);
    if (r == 1) {
        return OK;
    }
    *out_n = 0;
    switch (SSL_get_error(t->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        return OK;
    case SSL_ERROR_ZERO_RETURN:
        return ERR_UNREACHABLE;
    default:
        return ERR_MALFORMED;
    }
}

enum err tls_write(struct tls *t, struct bytes in)
{
    size_t n = 0;
    ERR_clear_error();
    return SSL_write_ex(t->ssl, in.p, in.n, &n) == 1 && n == in.n ? OK : ERR_CRYPTO;
}

size_t tls_pending(const struct tls *t)
{
    return BIO_ctrl_pending(t->out);
}

size_t tls_take(struct tls *t, uint8_t *out, size_t cap)
{
    size_t n = 0;
    return BIO_read_ex(t->out, out, cap, &n) == 1 ? n : 0;
}

enum err tls_exporter(struct tls *t, struct hash *out)
{
    int r = SSL_export_keying_material(t->ssl, out->b, sizeof out->b, exporter_label,
                                       sizeof exporter_label - 1, NULL, 0, 0);
    return r == 1 ? OK : ERR_CRYPTO;
}
