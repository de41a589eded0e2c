/* certificates.h: throw-away certificates for tests, made by the openssl command in a folder of their own. */
#ifndef TT_CERTIFICATES_H
#define TT_CERTIFICATES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char certificates_folder[64];

/* A path in the folder; one of eight buffers in turn. */
static const char *certificate(const char *name) {
    static char paths[8][128];
    static int turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", certificates_folder, name);
    return path;
}

/* ca.pem, and host.pem with host.key, which it has signed for localhost, 127.0.0.1 and ::1; old.pem has expired. */
static void make_certificates(void) {
    strcpy(certificates_folder, "/tmp/tls_test_XXXXXX");
    char command[2048];
    if (!mkdtemp(certificates_folder))
        abort();
    snprintf(command, sizeof command,
             "cd %s && exec 2>log && N='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes' && "
             "openssl req -x509 $N -keyout ca.key -out ca.pem -days 2 -subj /CN=test-ca && "
             "printf 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1' > names && "
             "openssl req $N -keyout host.key -out host.csr -subj /CN=localhost && "
             "openssl x509 -req -in host.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out host.pem && "
             "touch index && printf '[ca]\\ndefault_ca=c\\n[c]\\nnew_certs_dir=.\\ndatabase=index\\nserial=ca.srl\\n"
             "default_md=sha256\\npolicy=p\\n[p]\\ncommonName=supplied\\n' > ca.cnf && "
             "openssl ca -batch -config ca.cnf -cert ca.pem -keyfile ca.key -in host.csr -out old.pem -notext -extfile names "
             "-startdate 20200101000000Z -enddate 20200102000000Z",
             certificates_folder);
    if (system(command) != 0) {
        fprintf(stderr, "the openssl command did not make certificates; see %s/log\n", certificates_folder);
        exit(1);
    }
}

static void remove_certificates(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", certificates_folder);
    if (system(command) != 0)
        abort();
}

#endif
