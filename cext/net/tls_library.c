#include "net/tls_library.h"

#include <dlfcn.h>
#include <stdio.h>

#define OLDEST 0x10101000ul   /* 1.1.1: TLS 1.3, and the functions that take a size_t */

/* Both must be of one version: a libssl works only with its own libcrypto. */
static const char *const NAMES[][2] = {{"libcrypto.so.3", "libssl.so.3"}, {"libcrypto.so.1.1", "libssl.so.1.1"}};

static const char PACKAGES[] = "install it (Debian and Ubuntu: apt install libssl3; Fedora and RHEL: dnf install openssl-libs; "
                               "Alpine: apk add libssl3), or use the server's http port";

static bool load_functions(tls_library *library, void *crypto, void *ssl, const char **missing) {
    /* dlsym returns an object pointer. POSIX allows a function's address in it; ISO C allows the conversion only through memory. */
#define F(from, result, name, parameters)                             \
    if (!(*(void **)(void *)&library->name = dlsym(from, #name))) {   \
        *missing = #name;                                             \
        return false;                                                 \
    }
    TLS_FUNCTIONS(F)
#undef F
    return true;
}

const tls_library *tls_library_load(char *why, size_t room) {
    static tls_library library;
    static bool loaded;
    if (loaded)
        return &library;
    void *crypto = NULL, *ssl = NULL;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES && !ssl; i++) {
        crypto = dlopen(NAMES[i][0], RTLD_NOW | RTLD_LOCAL);
        ssl = crypto ? dlopen(NAMES[i][1], RTLD_NOW | RTLD_LOCAL) : NULL;
        if (crypto && !ssl)
            dlclose(crypto);
    }
    const char *missing = NULL;
    if (!ssl) {
        snprintf(why, room, "https needs OpenSSL, and there is no libssl.so.3 here; %s", PACKAGES);
        return NULL;
    }
    if (!load_functions(&library, crypto, ssl, &missing) || library.OpenSSL_version_num() < OLDEST) {
        snprintf(why, room, "https needs OpenSSL 1.1.1 or later, and the libssl of this system is not%s%s%s", missing ? " (it has no " : "",
                 missing ? missing : "", missing ? ")" : "");
        dlclose(ssl);
        dlclose(crypto);
        return NULL;
    }
    loaded = true;
    return &library;
}
