/* What COSE signs and authenticates (RFC 9052, sections 4.4 and 5.3), and the header parameters and
 * algorithms of the profile. */
#ifndef SZ_COSE_STRUCTURES_H
#define SZ_COSE_STRUCTURES_H

#include "trust/cbor_read.h"
#include "trust/cbor_write.h"

enum {
    SZ_COSE_ALG = 1,
    SZ_COSE_KID = 4,
    SZ_COSE_IV = 5,
    SZ_COSE_PARTIAL_IV = 6,
    SZ_COSE_ENCAPSULATED_KEY = -4
};
enum {
    SZ_COSE_EDDSA = -8,
    SZ_COSE_A128GCM = 1,
    SZ_COSE_HPKE_3_KE = 49
}; /* 49: draft-ietf-cose-hpke-27's assumed value */
enum { SZ_COSE_TAG_ENCRYPT0 = 16, SZ_COSE_TAG_SIGN1 = 18, SZ_COSE_TAG_ENCRYPT = 96 };

/* Sig_structure ["Signature1", protected, external_aad, payload]. */
void sz_cose_sig_structure(struct sz_cbor_writer *w, struct sz_bytes protected_header,
                           struct sz_bytes external_aad, struct sz_bytes payload);

/* Enc_structure [context, protected, external_aad]; context "Encrypt0" or "Encrypt". */
void sz_cose_enc_structure(struct sz_cbor_writer *w, const char *context, struct sz_bytes protected_header,
                           struct sz_bytes external_aad);

/* Starts reading a protected header: its content must be one deterministic map of `members` pairs whose first
 * is the algorithm `alg`. *rest stands behind it. SZ_UNKNOWN_ALGORITHM for another algorithm, else as
 * sz_cbor_check(). */
enum sz_code sz_cose_read_protected(struct sz_bytes protected_header, int64_t alg, size_t members,
                                    struct sz_cbor_reader *rest);

#endif
