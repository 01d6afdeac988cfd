/* SPDX-License-Identifier: Apache-2.0 */

/* TLS contexts: key, certificate and certificate authority for channels.
 *
 * Both sides of a channel present a certificate, and each accepts only one
 * that the configured authority signed.  That is all there is to identity:
 * names in certificates are shown (channel_peer_name()), not compared with an
 * address, as Open vSwitch's own PKI does it.
 *
 * TLS 1.2 (RFC 5246) is the least accepted, because Open vSwitch releases in
 * use offer nothing newer.  There is no renegotiation and no resumption: a
 * channel lives for days, so there is nothing to save. */

#include "base/loop-private.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

struct tls_context {
    SSL_CTX *ctx;
};

AUTO_DEFINE(tls_context)

/* Returns the error that OpenSSL noted last, for the setting 'field'. */
static struct err *OVS_WARN_UNUSED_RESULT
err_from_openssl(const char *field, const char *file_name)
{
    unsigned long error = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(error);
    AUTO_TEXT *system =
        (ERR_SYSTEM_ERROR(error) ? mem_text(strerror(ERR_GET_REASON(error)))
                                 : NULL);

    /* A file that cannot be opened puts the system's error first. */
    unsigned long first = ERR_peek_error();
    if (!system && ERR_SYSTEM_ERROR(first)) {
        system = mem_text(strerror(ERR_GET_REASON(first)));
    }
    ERR_clear_error();
    return err_new(ERR_INVALID, field, "cannot use file \"%s\": %s", file_name,
                   (system   ? system
                    : reason ? reason
                             : "unknown TLS error"));
}

/* Stores a context, owned by the caller, in '*tlsp', or leaves it alone and
 * returns ERR_INVALID with the field of 'files' at fault: "key",
 * "certificate" or "ca". */
struct err *
tls_context_create(const struct tls_files *files, struct tls_context **tlsp)
{
    ERR_clear_error();

    AUTO(tls_context) *tls = NEW(struct tls_context);
    tls->ctx = SSL_CTX_new(TLS_method());
    ovs_assert(tls->ctx);

    SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(tls->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET
                                      | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(tls->ctx, 0);
    SSL_CTX_set_mode(tls->ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(
        tls->ctx, (SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT), NULL);

    if (SSL_CTX_use_certificate_chain_file(tls->ctx, files->certificate)
        != 1) {
        return err_from_openssl("certificate", files->certificate);
    } else if (SSL_CTX_use_PrivateKey_file(tls->ctx, files->key,
                                           SSL_FILETYPE_PEM)
                   != 1
               || SSL_CTX_check_private_key(tls->ctx) != 1) {
        return err_from_openssl("key", files->key);
    } else if (SSL_CTX_load_verify_locations(tls->ctx, files->ca, NULL) != 1) {
        return err_from_openssl("ca", files->ca);
    }

    /* Tells clients which of their certificates to present. */
    STACK_OF(X509_NAME) *authorities = SSL_load_client_CA_file(files->ca);
    if (!authorities) {
        return err_from_openssl("ca", files->ca);
    }
    SSL_CTX_set_client_CA_list(tls->ctx, authorities);
    *tlsp = STEAL(tls);
    return NULL;
}

/* Listeners that use 'tls' must be gone, channels may live on. */
void
tls_context_destroy(struct tls_context *tls)
{
    if (tls) {
        SSL_CTX_free(tls->ctx);
        free(tls);
    }
}

struct ssl_st *
tls_session_create(struct tls_context *tls)
{
    SSL *ssl = SSL_new(tls->ctx);
    ovs_assert(ssl);
    return ssl;
}

char *
tls_session_peer_name(const struct ssl_st *ssl)
{
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    if (!certificate) {
        return NULL;
    }

    const X509_NAME *subject = X509_get_subject_name(certificate);
    int i = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (i < 0) {
        return NULL;
    }

    const ASN1_STRING *name =
        X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i));
    uint8_t *utf8;
    int length = ASN1_STRING_to_UTF8(&utf8, name);
    if (length < 0) {
        return NULL;
    }

    struct ds ds = DS_EMPTY_INITIALIZER;
    text_put_printable(&ds, (const char *) utf8, length);
    OPENSSL_free(utf8);
    return ds_steal_cstr(&ds);
}

char *
tls_session_problem(const struct ssl_st *ssl, unsigned long error)
{
    const char *reason = ERR_reason_error_string(error);
    long verified = SSL_get_verify_result(ssl);

    if (!error) {
        return NULL;
    } else if (ERR_GET_LIB(error) == ERR_LIB_SSL
               && ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        return mem_textf("TLS: %s: %s", reason,
                         X509_verify_cert_error_string(verified));
    } else {
        return mem_textf("TLS: %s", reason ? reason : "unknown error");
    }
}
