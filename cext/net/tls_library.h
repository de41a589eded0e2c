/* tls_library.h: loads OpenSSL and declares the functions that tls.c calls, as OpenSSL 1.1.1 and 3 declare them.
 *
 * It lists only functions that are functions in both versions. What is a macro in OpenSSL's headers is done through SSL_ctrl and
 * SSL_CTX_ctrl with the numbers below. test_tls_library.c compares all of it with OpenSSL's own headers where they are installed. */
#ifndef TT_TLS_LIBRARY_H
#define TT_TLS_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef OPENSSL_VERSION_NUMBER      /* test_tls_library.c includes the real ones */
typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_method_st SSL_METHOD;
typedef struct ssl_session_st SSL_SESSION;
typedef struct bio_st BIO;
typedef struct bio_method_st BIO_METHOD;
typedef struct X509_VERIFY_PARAM_st X509_VERIFY_PARAM;
typedef struct x509_store_ctx_st X509_STORE_CTX;
#endif

/* Macros of <openssl/ssl.h>, <openssl/bio.h> and <openssl/x509_vfy.h>. */
enum {
    TLS_CTRL_MODE = 33,                     /* SSL_CTRL_MODE */
    TLS_CTRL_SESSION_CACHE = 44,            /* SSL_CTRL_SET_SESS_CACHE_MODE */
    TLS_CTRL_HOST_NAME = 55,                /* SSL_CTRL_SET_TLSEXT_HOSTNAME */
    TLS_CTRL_MIN_VERSION = 123,             /* SSL_CTRL_SET_MIN_PROTO_VERSION */
    TLS_VERSION_1_2 = 0x303,                /* TLS1_2_VERSION */
    TLS_MODE_RELEASE_BUFFERS = 0x10,        /* SSL_MODE_RELEASE_BUFFERS */
    TLS_CACHE_CLIENT = 0x1,                 /* SSL_SESS_CACHE_CLIENT */
    TLS_CACHE_NO_STORE = 0x200,             /* SSL_SESS_CACHE_NO_INTERNAL_STORE */
    TLS_VERIFY_NONE = 0,                    /* SSL_VERIFY_NONE */
    TLS_VERIFY_PEER = 1,                    /* SSL_VERIFY_PEER */
    TLS_FILE_PEM = 1,                       /* SSL_FILETYPE_PEM */
    TLS_ERROR_WANT_READ = 2,                /* SSL_ERROR_WANT_READ */
    TLS_ERROR_ZERO_RETURN = 6,              /* SSL_ERROR_ZERO_RETURN */
    TLS_BIO_SOURCE_SINK = 0x400,            /* BIO_TYPE_SOURCE_SINK */
    TLS_BIO_RETRY_READ = 0x01 | 0x08,       /* BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY */
    TLS_BIO_RETRY_ALL = 0x0f,               /* BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY */
    TLS_BIO_FLUSH = 11,                     /* BIO_CTRL_FLUSH */
    TLS_NO_PARTIAL_WILDCARDS = 0x4,         /* X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS */
    TLS_PARTIAL_CHAIN = 0x80000,            /* X509_V_FLAG_PARTIAL_CHAIN */
    TLS_VERIFY_OK = 0                       /* X509_V_OK */
};
#define TLS_SYSTEM_ERROR 0x80000000ul      /* ERR_SYSTEM_FLAG of OpenSSL 3: the other bits are an errno */

/* F(library, result, name, parameters) */
#define TLS_FUNCTIONS(F)                                                                                  \
    F(crypto, unsigned long, OpenSSL_version_num, (void))                                                 \
    F(crypto, void, ERR_clear_error, (void))                                                              \
    F(crypto, unsigned long, ERR_peek_error, (void))                                                      \
    F(crypto, const char *, ERR_reason_error_string, (unsigned long error))                               \
    F(crypto, int, BIO_get_new_index, (void))                                                             \
    F(crypto, BIO_METHOD *, BIO_meth_new, (int type, const char *name))                                   \
    F(crypto, int, BIO_meth_set_write, (BIO_METHOD *method, int (*write)(BIO *, const char *, int)))      \
    F(crypto, int, BIO_meth_set_read, (BIO_METHOD *method, int (*read)(BIO *, char *, int)))              \
    F(crypto, int, BIO_meth_set_ctrl, (BIO_METHOD *method, long (*ctrl)(BIO *, int, long, void *)))       \
    F(crypto, BIO *, BIO_new, (const BIO_METHOD *method))                                                 \
    F(crypto, void, BIO_set_data, (BIO *bio, void *data))                                                 \
    F(crypto, void *, BIO_get_data, (BIO *bio))                                                           \
    F(crypto, void, BIO_set_init, (BIO *bio, int init))                                                   \
    F(crypto, void, BIO_set_flags, (BIO *bio, int flags))                                                 \
    F(crypto, void, BIO_clear_flags, (BIO *bio, int flags))                                               \
    F(crypto, const char *, X509_verify_cert_error_string, (long error))                                  \
    F(crypto, int, X509_VERIFY_PARAM_set_flags, (X509_VERIFY_PARAM *param, unsigned long flags))          \
    F(crypto, void, X509_VERIFY_PARAM_set_hostflags, (X509_VERIFY_PARAM *param, unsigned int flags))      \
    F(crypto, int, X509_VERIFY_PARAM_set1_host, (X509_VERIFY_PARAM *param, const char *name, size_t length)) \
    F(crypto, int, X509_VERIFY_PARAM_set1_ip_asc, (X509_VERIFY_PARAM *param, const char *address))        \
    F(ssl, const SSL_METHOD *, TLS_client_method, (void))                                                 \
    F(ssl, const SSL_METHOD *, TLS_server_method, (void))                                                 \
    F(ssl, SSL_CTX *, SSL_CTX_new, (const SSL_METHOD *method))                                            \
    F(ssl, void, SSL_CTX_free, (SSL_CTX *context))                                                        \
    F(ssl, long, SSL_CTX_ctrl, (SSL_CTX *context, int command, long number, void *pointer))               \
    F(ssl, void, SSL_CTX_set_verify, (SSL_CTX *context, int mode, int (*callback)(int, X509_STORE_CTX *))) \
    F(ssl, int, SSL_CTX_set_default_verify_paths, (SSL_CTX *context))                                     \
    F(ssl, int, SSL_CTX_load_verify_locations, (SSL_CTX *context, const char *file, const char *directory)) \
    F(ssl, X509_VERIFY_PARAM *, SSL_CTX_get0_param, (SSL_CTX *context))                                   \
    F(ssl, int, SSL_CTX_use_certificate_chain_file, (SSL_CTX *context, const char *file))                 \
    F(ssl, int, SSL_CTX_use_PrivateKey_file, (SSL_CTX *context, const char *file, int type))              \
    F(ssl, int, SSL_CTX_check_private_key, (const SSL_CTX *context))                                      \
    F(ssl, int, SSL_CTX_set_alpn_protos, (SSL_CTX *context, const unsigned char *protocols, unsigned int length)) \
    F(ssl, int, SSL_CTX_set_ex_data, (SSL_CTX *context, int index, void *data))                           \
    F(ssl, void *, SSL_CTX_get_ex_data, (const SSL_CTX *context, int index))                              \
    F(ssl, void, SSL_CTX_sess_set_new_cb, (SSL_CTX *context, int (*callback)(SSL *, SSL_SESSION *)))      \
    F(ssl, SSL *, SSL_new, (SSL_CTX *context))                                                            \
    F(ssl, void, SSL_free, (SSL *ssl))                                                                    \
    F(ssl, SSL_CTX *, SSL_get_SSL_CTX, (const SSL *ssl))                                                  \
    F(ssl, long, SSL_ctrl, (SSL *ssl, int command, long number, void *pointer))                           \
    F(ssl, void, SSL_set_bio, (SSL *ssl, BIO *read, BIO *write))                                          \
    F(ssl, void, SSL_set_connect_state, (SSL *ssl))                                                       \
    F(ssl, void, SSL_set_accept_state, (SSL *ssl))                                                        \
    F(ssl, int, SSL_do_handshake, (SSL *ssl))                                                             \
    F(ssl, int, SSL_read_ex, (SSL *ssl, void *buffer, size_t room, size_t *got))                          \
    F(ssl, int, SSL_write_ex, (SSL *ssl, const void *buffer, size_t length, size_t *written))             \
    F(ssl, int, SSL_shutdown, (SSL *ssl))                                                                 \
    F(ssl, int, SSL_get_error, (const SSL *ssl, int result))                                              \
    F(ssl, long, SSL_get_verify_result, (const SSL *ssl))                                                 \
    F(ssl, int, SSL_set_session, (SSL *ssl, SSL_SESSION *session))                                        \
    F(ssl, int, SSL_session_reused, (const SSL *ssl))                                                     \
    F(ssl, void, SSL_SESSION_free, (SSL_SESSION *session))

typedef struct {
#define F(library, result, name, parameters) result(*name) parameters;
    TLS_FUNCTIONS(F)
#undef F
} tls_library;

/* Returns the functions, or NULL with `why`. They are loaded once and never unloaded: OpenSSL's exit handlers need its code. */
const tls_library *tls_library_load(char *why, size_t room);

#endif
