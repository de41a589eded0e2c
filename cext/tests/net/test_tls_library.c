/* Compares the functions and numbers of tls_library.h with OpenSSL's own headers, where they are installed. */
#if __has_include(<openssl/ssl.h>)
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#define HEADERS 1
#else
#define HEADERS 0
#endif

#include "net/tls_library.h"
#include "support/check.h"

#if HEADERS
#define F(library, result, name, parameters)                                                         \
    _Static_assert(__builtin_types_compatible_p(__typeof__(&name), __typeof__(((tls_library *)0)->name)), \
                   #name " is declared otherwise");
TLS_FUNCTIONS(F)
#undef F

static void test_numbers(void) {
    CHECK_NUMBER(TLS_CTRL_MODE, SSL_CTRL_MODE);
    CHECK_NUMBER(TLS_CTRL_SESSION_CACHE, SSL_CTRL_SET_SESS_CACHE_MODE);
    CHECK_NUMBER(TLS_CTRL_HOST_NAME, SSL_CTRL_SET_TLSEXT_HOSTNAME);
    CHECK_NUMBER(0, TLSEXT_NAMETYPE_host_name);
    CHECK_NUMBER(TLS_CTRL_MIN_VERSION, SSL_CTRL_SET_MIN_PROTO_VERSION);
    CHECK_NUMBER(TLS_VERSION_1_2, TLS1_2_VERSION);
    CHECK_NUMBER(TLS_MODE_RELEASE_BUFFERS, SSL_MODE_RELEASE_BUFFERS);
    CHECK_NUMBER(TLS_CACHE_CLIENT, SSL_SESS_CACHE_CLIENT);
    CHECK_NUMBER(TLS_CACHE_NO_STORE, SSL_SESS_CACHE_NO_INTERNAL_STORE);
    CHECK_NUMBER(TLS_VERIFY_NONE, SSL_VERIFY_NONE);
    CHECK_NUMBER(TLS_VERIFY_PEER, SSL_VERIFY_PEER);
    CHECK_NUMBER(TLS_FILE_PEM, SSL_FILETYPE_PEM);
    CHECK_NUMBER(TLS_ERROR_WANT_READ, SSL_ERROR_WANT_READ);
    CHECK_NUMBER(TLS_ERROR_ZERO_RETURN, SSL_ERROR_ZERO_RETURN);
    CHECK_NUMBER(TLS_BIO_SOURCE_SINK, BIO_TYPE_SOURCE_SINK);
    CHECK_NUMBER(TLS_BIO_RETRY_READ, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY);
    CHECK_NUMBER(TLS_BIO_RETRY_ALL, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
    CHECK_NUMBER(TLS_BIO_FLUSH, BIO_CTRL_FLUSH);
    CHECK_NUMBER(TLS_NO_PARTIAL_WILDCARDS, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    CHECK_NUMBER(TLS_PARTIAL_CHAIN, X509_V_FLAG_PARTIAL_CHAIN);
    CHECK_NUMBER(TLS_VERIFY_OK, X509_V_OK);
#ifdef ERR_SYSTEM_FLAG
    CHECK_NUMBER(TLS_SYSTEM_ERROR, ERR_SYSTEM_FLAG);
#endif
}
#else
static void test_numbers(void) { printf("tls_library: no OpenSSL headers here, the numbers are not compared\n"); }
#endif

int main(void) {
    char why[256] = "";
    const tls_library *library = tls_library_load(why, sizeof why);
    CHECK_TEXT(why, strlen(why), "");
    CHECK(library && library->OpenSSL_version_num() >= 0x10101000ul);
    CHECK(library == tls_library_load(why, sizeof why));
    test_numbers();
    return check_report("tls_library");
}
