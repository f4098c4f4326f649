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

/* Sig_structure ["Signature1", protected, external_aad, payload]; payload's bytes are the caller's to put
 * after the head if payload.at is NULL. */
void sz_cose_sig_structure(struct sz_cbor_writer *w, struct sz_bytes protected_header,
                           struct sz_bytes external_aad, struct sz_bytes payload);

/* Enc_structure [context, protected, external_aad]; context "Encrypt0" or "Encrypt". */
void sz_cose_enc_structure(struct sz_cbor_writer *w, const char *context, struct sz_bytes protected_header,
                           struct sz_bytes external_aad);

/* Bytes of the Sig_structure around a payload, protected header and external_aad of these lengths: for
 * scratch sizes. */
size_t sz_cose_sig_structure_size(size_t protected_header, size_t external_aad, size_t payload);

#endif
