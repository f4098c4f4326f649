#include "trust/cose_encrypt.h"
#include "trust/cose_structures.h"

#include <string.h>

enum {
    SEALED_KEY_SIZE = SZ_AES_KEY_SIZE + SZ_TAG_SIZE,
    RECIPIENT_PROTECTED_SIZE = 4 + 2 + SZ_KID_SIZE, /* {1: 49, 4: kid} */
    INFO_SIZE = 1 + 15 + 1 + 1 + RECIPIENT_PROTECTED_SIZE + 2 + SZ_ENCRYPT_EXTRA_INFO,
    AAD_SIZE = 1 + 8 + 4 + 2 + SZ_ENCRYPT_EXTERNAL_AAD,
};

/* {1: 1} */
static const uint8_t content_protected[] = {0xa1, 0x01, 0x01};

struct recipient {
    struct sz_bytes protected_header;
    const uint8_t *kid;
    const uint8_t *enc;
    const uint8_t *sealed_key;
};

struct message {
    const uint8_t *iv;
    struct sz_bytes ciphertext;
    struct recipient ours; /* kid NULL where there is none */
};

/* Recipient_structure: HPKE's info. Empty if extra_info is too long. */
static struct sz_bytes recipient_structure(struct sz_bytes protected_header, struct sz_bytes extra_info,
                                           uint8_t info[INFO_SIZE])
{
    struct sz_cbor_writer w = sz_cbor_writer(info, INFO_SIZE);
    sz_cbor_put_array(&w, 4);
    sz_cbor_put_text(&w, "HPKE Recipient");
    sz_cbor_put_int(&w, SZ_COSE_A128GCM);
    sz_cbor_put_bstr(&w, protected_header.at, protected_header.length);
    sz_cbor_put_bstr(&w, extra_info.at, extra_info.length);
    return SZ_BYTES(info, sz_cbor_written(&w));
}

static struct sz_bytes enc_structure(struct sz_bytes external_aad, uint8_t aad[AAD_SIZE])
{
    struct sz_cbor_writer w = sz_cbor_writer(aad, AAD_SIZE);
    sz_cose_enc_structure(&w, "Encrypt", SZ_BYTES(content_protected, sizeof content_protected), external_aad);
    return SZ_BYTES(aad, sz_cbor_written(&w));
}

static enum sz_code read_recipient(struct sz_cbor_reader *r, struct recipient *out)
{
    struct sz_cbor_reader p;
    enum sz_code code;
    sz_cbor_array_of(r, 3);
    out->protected_header = sz_cbor_bstr(r);
    sz_cbor_map_of(r, 1);
    sz_cbor_key(r, SZ_COSE_ENCAPSULATED_KEY);
    out->enc = sz_cbor_bstr_of(r, SZ_KEY_SIZE);
    out->sealed_key = sz_cbor_bstr_of(r, SEALED_KEY_SIZE);
    code = sz_cbor_error(r);
    if (code == SZ_OK) {
        code = sz_cose_read_protected(out->protected_header, SZ_COSE_HPKE_3_KE, 2, &p);
    }
    if (code != SZ_OK) {
        return code;
    }
    sz_cbor_key(&p, SZ_COSE_KID);
    out->kid = sz_cbor_bstr_of(&p, SZ_KID_SIZE);
    return sz_cbor_done(&p);
}

static enum sz_code read_message(struct sz_bytes bytes, const uint8_t kid[SZ_KID_SIZE], struct message *out)
{
    struct sz_cbor_reader r = sz_cbor_reader(bytes), p;
    struct sz_bytes protected_header;
    size_t count;
    enum sz_code code = sz_cbor_check(bytes);
    if (code != SZ_OK) {
        return code;
    }
    if (sz_cbor_tag(&r) != SZ_COSE_TAG_ENCRYPT) {
        sz_cbor_fail(&r, SZ_MALFORMED);
    }
    sz_cbor_array_of(&r, 4);
    protected_header = sz_cbor_bstr(&r);
    sz_cbor_map_of(&r, 1);
    sz_cbor_key(&r, SZ_COSE_IV);
    out->iv = sz_cbor_bstr_of(&r, SZ_NONCE_SIZE);
    out->ciphertext = sz_cbor_bstr(&r);
    count = sz_cbor_array(&r);
    code = sz_cbor_error(&r);
    if (code == SZ_OK) {
        code = sz_cose_read_protected(protected_header, SZ_COSE_A128GCM, 1, &p);
    }
    if (code == SZ_OK &&
        (out->ciphertext.length < SZ_TAG_SIZE || count == 0 || count > SZ_ENCRYPT_MAX_RECIPIENTS)) {
        code = SZ_MALFORMED;
    }
    out->ours.kid = NULL;
    for (size_t i = 0; i < count && code == SZ_OK; i++) {
        struct recipient next;
        code = read_recipient(&r, &next);
        if (code == SZ_OK && out->ours.kid == NULL && memcmp(next.kid, kid, SZ_KID_SIZE) == 0) {
            out->ours = next;
        }
    }
    return code == SZ_OK ? sz_cbor_done(&r) : code;
}

enum sz_code sz_encrypt_open(struct sz_bytes message, const struct sz_agreement_key *own,
                             struct sz_bytes extra_info, struct sz_bytes external_aad, uint8_t *out,
                             size_t capacity, size_t *length)
{
    uint8_t content_key[SZ_AES_KEY_SIZE], info_bytes[INFO_SIZE], aad_bytes[AAD_SIZE];
    const struct sz_bytes aad = enc_structure(external_aad, aad_bytes);
    struct sz_bytes info;
    struct message m = {0};
    size_t plain;
    enum sz_code code = read_message(message, own->kid, &m);
    *length = 0;
    if (code != SZ_OK) {
        return code;
    }
    if (m.ours.kid == NULL) {
        return SZ_STALE_NONCE;
    }
    plain = m.ciphertext.length - SZ_TAG_SIZE;
    info = recipient_structure(m.ours.protected_header, extra_info, info_bytes);
    if (plain > capacity || info.length == 0 || aad.length == 0) {
        return SZ_TOO_LONG;
    }
    code = sz_hpke_open(own, m.ours.enc, info, SZ_BYTES(NULL, 0),
                        SZ_BYTES(m.ours.sealed_key, SEALED_KEY_SIZE), content_key);
    if (code == SZ_OK) {
        code = sz_gcm_open(content_key, m.iv, aad, SZ_BYTES(m.ciphertext.at, plain), m.ciphertext.at + plain,
                           out);
    }
    sz_wipe(content_key, sizeof content_key);
    if (code == SZ_OK) {
        *length = plain;
    }
    return code == SZ_BAD_TAG ? SZ_DECRYPT_FAILED : code;
}

/* The one recipient, sealed to with this content key. */
static enum sz_code put_recipient(struct sz_cbor_writer *w, const uint8_t recipient[SZ_KEY_SIZE],
                                  struct sz_bytes extra_info, const uint8_t content_key[SZ_AES_KEY_SIZE])
{
    uint8_t header[RECIPIENT_PROTECTED_SIZE], kid[SZ_KID_SIZE], info_bytes[INFO_SIZE];
    uint8_t enc[SZ_KEY_SIZE], sealed_key[SEALED_KEY_SIZE];
    struct sz_cbor_writer p = sz_cbor_writer(header, sizeof header);
    struct sz_bytes info;
    enum sz_code code = sz_kid(SZ_CURVE_X25519, recipient, kid);
    if (code != SZ_OK) {
        return code;
    }
    sz_cbor_put_map(&p, 2);
    sz_cbor_put_int(&p, SZ_COSE_ALG);
    sz_cbor_put_int(&p, SZ_COSE_HPKE_3_KE);
    sz_cbor_put_int(&p, SZ_COSE_KID);
    sz_cbor_put_bstr(&p, kid, SZ_KID_SIZE);
    info = recipient_structure(SZ_BYTES(header, p.length), extra_info, info_bytes);
    if (p.overflow || info.length == 0) {
        return SZ_TOO_LONG;
    }
    code = sz_hpke_seal(recipient, info, SZ_BYTES(NULL, 0), SZ_BYTES(content_key, SZ_AES_KEY_SIZE), enc,
                        sealed_key);
    if (code == SZ_OK) {
        sz_cbor_put_array(w, 3);
        sz_cbor_put_bstr(w, header, p.length);
        sz_cbor_put_map(w, 1);
        sz_cbor_put_int(w, SZ_COSE_ENCAPSULATED_KEY);
        sz_cbor_put_bstr(w, enc, sizeof enc);
        sz_cbor_put_bstr(w, sealed_key, sizeof sealed_key);
    }
    return code;
}

enum sz_code sz_encrypt_seal(const uint8_t recipient[SZ_KEY_SIZE], struct sz_bytes extra_info,
                             struct sz_bytes external_aad, struct sz_bytes plaintext, uint8_t *out,
                             size_t capacity, size_t *length)
{
    uint8_t content_key[SZ_AES_KEY_SIZE], iv[SZ_NONCE_SIZE], aad_bytes[AAD_SIZE];
    const struct sz_bytes aad = enc_structure(external_aad, aad_bytes);
    struct sz_cbor_writer w = sz_cbor_writer(out, capacity);
    uint8_t *ciphertext;
    enum sz_code code;
    *length = 0;
    if (aad.length == 0) {
        return SZ_TOO_LONG;
    }
    if (plaintext.length > SIZE_MAX - SZ_TAG_SIZE) {
        return SZ_BUFFER_TOO_SMALL;
    }
    sz_random(iv, sizeof iv);
    sz_cbor_put_tag(&w, SZ_COSE_TAG_ENCRYPT);
    sz_cbor_put_array(&w, 4);
    sz_cbor_put_bstr(&w, content_protected, sizeof content_protected);
    sz_cbor_put_map(&w, 1);
    sz_cbor_put_int(&w, SZ_COSE_IV);
    sz_cbor_put_bstr(&w, iv, sizeof iv);
    sz_cbor_put_bstr_head(&w, plaintext.length + SZ_TAG_SIZE);
    ciphertext = sz_cbor_put_space(&w, plaintext.length + SZ_TAG_SIZE);
    if (ciphertext == NULL) {
        return SZ_BUFFER_TOO_SMALL;
    }
    sz_random(content_key, sizeof content_key);
    code = sz_gcm_seal(content_key, iv, aad, plaintext, ciphertext, ciphertext + plaintext.length);
    sz_cbor_put_array(&w, 1);
    if (code == SZ_OK) {
        code = put_recipient(&w, recipient, extra_info, content_key);
    }
    sz_wipe(content_key, sizeof content_key);
    if (code == SZ_OK && w.overflow) {
        code = SZ_BUFFER_TOO_SMALL;
    }
    if (code == SZ_OK) {
        *length = sz_cbor_written(&w);
    }
    return code;
}
