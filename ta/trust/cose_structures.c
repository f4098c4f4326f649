#include "trust/cose_structures.h"

void sz_cose_sig_structure(struct sz_cbor_writer *w, struct sz_bytes protected_header,
                           struct sz_bytes external_aad, struct sz_bytes payload)
{
    sz_cbor_put_array(w, 4);
    sz_cbor_put_text(w, "Signature1");
    sz_cbor_put_bstr(w, protected_header.at, protected_header.length);
    sz_cbor_put_bstr(w, external_aad.at, external_aad.length);
    sz_cbor_put_bstr(w, payload.at, payload.length);
}

void sz_cose_enc_structure(struct sz_cbor_writer *w, const char *context, struct sz_bytes protected_header,
                           struct sz_bytes external_aad)
{
    sz_cbor_put_array(w, 3);
    sz_cbor_put_text(w, context);
    sz_cbor_put_bstr(w, protected_header.at, protected_header.length);
    sz_cbor_put_bstr(w, external_aad.at, external_aad.length);
}

enum sz_code sz_cose_read_protected(struct sz_bytes protected_header, int64_t alg, size_t members,
                                    struct sz_cbor_reader *rest)
{
    struct sz_cbor_reader found;
    size_t count;
    const enum sz_code code = sz_cbor_check(protected_header);
    *rest = sz_cbor_reader(protected_header);
    if (protected_header.length == 0) { /* how COSE writes an empty map */
        return SZ_MALFORMED;
    }
    if (code != SZ_OK) {
        return code;
    }
    count = sz_cbor_map(rest);
    if (count == 0) {
        return SZ_MALFORMED;
    }
    sz_cbor_key(rest, SZ_COSE_ALG);
    found = *rest;
    (void)sz_cbor_skip(rest);
    if (sz_cbor_error(rest) != SZ_OK) {
        return sz_cbor_error(rest);
    }
    if (sz_cbor_int(&found) != alg || sz_cbor_error(&found) != SZ_OK) {
        return SZ_UNKNOWN_ALGORITHM;
    }
    return count == members ? SZ_OK : SZ_MALFORMED;
}
