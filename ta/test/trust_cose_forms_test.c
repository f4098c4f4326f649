/* Messages that are well-made COSE but not in the protocol's forms: refused with the code that says why,
 * although signed or sealed with the right keys. */
#include "trust/cose_structures.h"
#include "trust_cose_samples.h"

#include <string.h>

static void expect_code(enum sz_code found, enum sz_code expected)
{
    if (found != expected) {
        fprintf(stderr, "%s: code %d where %d is due\n", trust_test_now, found, expected);
    }
    CHECK(found == expected);
}

/* Hexadecimal with K for the 8 bytes of a kid. */
static struct sz_bytes bytes_of(const char *text, const uint8_t *kid, uint8_t *out)
{
    size_t length = 0;
    while (*text != '\0') {
        unsigned byte;
        if (*text == 'K') {
            memcpy(out + length, kid, SZ_KID_SIZE);
            length += SZ_KID_SIZE;
            text++;
            continue;
        }
        CHECK(sscanf(text, "%2x", &byte) == 1);
        out[length++] = (uint8_t)byte;
        text += 2;
    }
    return SZ_BYTES(out, length);
}

static const struct header_case {
    const char *protected_header, *unprotected;
    enum sz_code code;
} sign1_headers[] = {
    {"a201270448K", "a0", SZ_OK},
    {"a201270448K", "a10448K", SZ_MALFORMED},
    {"a201270448K", "a10300", SZ_MALFORMED}, /* something unprotected */
    {"a201270448K", "80", SZ_MALFORMED},
    {"a201260448K", "a0", SZ_UNKNOWN_ALGORITHM}, /* ES256 */
    {"a201080448K", "a0", SZ_UNKNOWN_ALGORITHM}, /* +8 */
    {"a2016545644453410448K", "a0", SZ_UNKNOWN_ALGORITHM},
    {"a10127", "a10448K", SZ_MALFORMED}, /* kid unprotected */
    {"a10127", "a0", SZ_MALFORMED},
    {"a10448K", "a10127", SZ_MALFORMED}, /* algorithm unprotected */
    {"a3012703000448K", "a0", SZ_MALFORMED},
    {"a301270281030448K", "a0", SZ_MALFORMED},        /* critical headers */
    {"a20127044701020304050607", "a0", SZ_MALFORMED}, /* kid of 7 bytes */
    {"a201270449K00", "a0", SZ_MALFORMED},            /* of 9 */
    {"a201270448K00", "a0", SZ_TRAILING_BYTES},       /* behind the protected map */
    {"a201270127", "a0", SZ_DUPLICATE_KEY},
    {"a3012704480000000000000000", "a0", SZ_TRUNCATED},
    {"a20448K0127", "a0", SZ_MALFORMED},   /* out of order */
    {"a20138070448K", "a0", SZ_MALFORMED}, /* -8 longer than needed */
    {"bf01270448Kff", "a0", SZ_MALFORMED},
    {"", "a0", SZ_MALFORMED},
    {"a0", "a0", SZ_MALFORMED},
};

/* A message over TRUST_PAYLOAD with these headers, signed all the same. */
static size_t put_sign1(const struct header_case *c, uint8_t *out, size_t capacity)
{
    uint8_t protected_bytes[64], unprotected_bytes[64], structure[256], signature[SZ_SIGNATURE_SIZE];
    const struct sz_bytes header = bytes_of(c->protected_header, trust_signer.kid, protected_bytes),
                          unprotected = bytes_of(c->unprotected, trust_signer.kid, unprotected_bytes);
    struct sz_cbor_writer w = sz_cbor_writer(structure, sizeof structure);
    sz_cose_sig_structure(&w, header, TRUST_AAD, TRUST_PAYLOAD);
    CHECK(sz_ed25519_sign(trust_signer.seed, trust_signer.public_key,
                          SZ_BYTES(structure, sz_cbor_written(&w)), signature) == SZ_OK);
    w = sz_cbor_writer(out, capacity);
    sz_cbor_put_tag(&w, SZ_COSE_TAG_SIGN1);
    sz_cbor_put_array(&w, 4);
    sz_cbor_put_bstr(&w, header.at, header.length);
    sz_cbor_put_raw(&w, unprotected.at, unprotected.length);
    sz_cbor_put_bstr(&w, TRUST_PAYLOAD.at, TRUST_PAYLOAD.length);
    sz_cbor_put_bstr(&w, signature, sizeof signature);
    CHECK(sz_cbor_written(&w) > 0);
    return w.length;
}

static unsigned sign1_forms(void)
{
    uint8_t message[512];
    for (size_t i = 0; i < sizeof sign1_headers / sizeof sign1_headers[0]; i++) {
        trust_test_now = sign1_headers[i].protected_header;
        const size_t length = put_sign1(&sign1_headers[i], message, sizeof message);
        expect_code(trust_open_sign1(SZ_BYTES(message, length)), sign1_headers[i].code);
    }
    return sizeof sign1_headers / sizeof sign1_headers[0];
}

static const struct header_case record_headers[] = {
    {"a3010104480102030405060708"
     "0643010203",
     "a0", SZ_OK},
    {"a3010104480102030405060708"
     "0643010203",
     "a10300", SZ_MALFORMED},
    {"a3010304480102030405060708"
     "0643010203",
     "a0", SZ_UNKNOWN_ALGORITHM}, /* A256GCM */
    {"a3010104480102030405060708"
     "064400010203",
     "a0", SZ_MALFORMED}, /* leading zero */
    {"a3010104480102030405060708"
     "06420000",
     "a0", SZ_MALFORMED},
    {"a3010104480102030405060708"
     "0640",
     "a0", SZ_MALFORMED}, /* no number */
    {"a3010104480102030405060708"
     "0646010203040506",
     "a0", SZ_MALFORMED},
    {"a3010104480102030405060708"
     "06190102",
     "a0", SZ_MALFORMED},
    {"a20101044801020304050607"
     "08",
     "a1"
     "0643010203",
     SZ_MALFORMED},
    {"a20101"
     "0643010203",
     "a0", SZ_MALFORMED}, /* no channel */
    {"a301010447010203040506070643010203", "a0", SZ_MALFORMED},
    {"a4010104480102030405060708"
     "05400643010203",
     "a0", SZ_MALFORMED},
    {"a3010104480102030405060708"
     "064301020300",
     "a0", SZ_TRAILING_BYTES},
    {"a3010104480102030405060708"
     "04480102030405060708",
     "a0", SZ_DUPLICATE_KEY},
    {"a3010104480102030405060708"
     "06430102",
     "a0", SZ_TRUNCATED},
};

static unsigned record_forms(void)
{
    for (size_t i = 0; i < sizeof record_headers / sizeof record_headers[0]; i++) {
        const struct header_case *const c = &record_headers[i];
        uint8_t header_bytes[64], unprotected_bytes[64], aad_bytes[128], message[256], nonce[SZ_NONCE_SIZE];
        const struct sz_bytes header = bytes_of(c->protected_header, trust_channel, header_bytes),
                              unprotected = bytes_of(c->unprotected, trust_channel, unprotected_bytes);
        struct sz_cbor_writer w = sz_cbor_writer(aad_bytes, sizeof aad_bytes),
                              m = sz_cbor_writer(message, sizeof message);
        trust_test_now = c->protected_header;
        sz_cose_enc_structure(&w, "Encrypt0", header, TRUST_AAD);
        sz_cbor_put_tag(&m, SZ_COSE_TAG_ENCRYPT0);
        sz_cbor_put_array(&m, 3);
        sz_cbor_put_bstr(&m, header.at, header.length);
        sz_cbor_put_raw(&m, unprotected.at, unprotected.length);
        sz_cbor_put_bstr_head(&m, TRUST_PAYLOAD.length + SZ_TAG_SIZE);
        uint8_t *const sealed = sz_cbor_put_space(&m, TRUST_PAYLOAD.length + SZ_TAG_SIZE);
        CHECK(sealed != NULL);
        sz_record_nonce(0x010203, nonce);
        CHECK(sz_gcm_seal(trust_channel_key, nonce, SZ_BYTES(aad_bytes, w.length), TRUST_PAYLOAD, sealed,
                          sealed + TRUST_PAYLOAD.length) == SZ_OK);
        expect_code(trust_open_record(SZ_BYTES(message, m.length)), c->code);
    }
    return sizeof record_headers / sizeof record_headers[0];
}

static const struct header_case recipient_headers[] = {
    {"a20118310448K", "a1235820", SZ_OK},
    {"a201182f0448K", "a1235820", SZ_UNKNOWN_ALGORITHM}, /* another HPKE suite */
    {"a20118230448K", "a1235820", SZ_UNKNOWN_ALGORITHM}, /* HPKE-0 */
    {"a1011831", "a1235820", SZ_MALFORMED},
    {"a30118310448K0600", "a1235820", SZ_MALFORMED},
    {"a20118310448K", "a1225820", SZ_MALFORMED}, /* another parameter than ek */
    {"a20118310448K00", "a1235820", SZ_TRAILING_BYTES},
};

/* Recipients: the wrong ones `before`, ours with the case's headers, then `after` good ones for somebody
 * else. */
static size_t put_encrypt(const struct header_case *c, const char *content_header, size_t before,
                          size_t after, bool with_ours, uint8_t *out, size_t capacity)
{
    static const uint8_t content_key[SZ_AES_KEY_SIZE] = {5}, iv[SZ_NONCE_SIZE] = {6};
    uint8_t header_bytes[32], aad[128], sealed[256];
    const struct sz_bytes layer = bytes_of(content_header, trust_receiver.kid, header_bytes);
    struct sz_cbor_writer a = sz_cbor_writer(aad, sizeof aad), w = sz_cbor_writer(out, capacity);
    struct sz_agreement_key other;
    CHECK(sz_agreement_key_generate(&other) == SZ_OK);
    sz_cose_enc_structure(&a, "Encrypt", layer, TRUST_AAD);
    CHECK(sz_gcm_seal(content_key, iv, SZ_BYTES(aad, a.length), TRUST_PAYLOAD, sealed,
                      sealed + TRUST_PAYLOAD.length) == SZ_OK);
    sz_cbor_put_tag(&w, SZ_COSE_TAG_ENCRYPT);
    sz_cbor_put_array(&w, 4);
    sz_cbor_put_bstr(&w, layer.at, layer.length);
    sz_cbor_put_map(&w, 1);
    sz_cbor_put_int(&w, SZ_COSE_IV);
    sz_cbor_put_bstr(&w, iv, sizeof iv);
    sz_cbor_put_bstr(&w, sealed, TRUST_PAYLOAD.length + SZ_TAG_SIZE);
    sz_cbor_put_array(&w, before + after + (with_ours ? 1 : 0));
    for (size_t i = 0; i < before + after + (with_ours ? 1 : 0); i++) {
        const bool ours = with_ours && i == before;
        const struct sz_agreement_key *const to = ours ? &trust_receiver : &other;
        const struct header_case *const headers = ours ? c : &recipient_headers[0];
        uint8_t recipient_bytes[64], unprotected_bytes[64], info[256], enc[SZ_KEY_SIZE], wrapped[32];
        const struct sz_bytes header = bytes_of(headers->protected_header, to->kid, recipient_bytes),
                              unprotected = bytes_of(headers->unprotected, to->kid, unprotected_bytes);
        struct sz_cbor_writer s = sz_cbor_writer(info, sizeof info);
        sz_cbor_put_array(&s, 4);
        sz_cbor_put_text(&s, "HPKE Recipient");
        sz_cbor_put_int(&s, SZ_COSE_A128GCM);
        sz_cbor_put_bstr(&s, header.at, header.length);
        sz_cbor_put_bstr(&s, TRUST_EXTRA.at, TRUST_EXTRA.length);
        CHECK(sz_hpke_seal(to->public_key, SZ_BYTES(info, s.length), SZ_BYTES(NULL, 0),
                           SZ_BYTES(content_key, sizeof content_key), enc, wrapped) == SZ_OK);
        sz_cbor_put_array(&w, 3);
        sz_cbor_put_bstr(&w, header.at, header.length);
        sz_cbor_put_raw(&w, unprotected.at, unprotected.length);
        sz_cbor_put_raw(&w, enc, sizeof enc);
        sz_cbor_put_bstr(&w, wrapped, sizeof wrapped);
    }
    CHECK(sz_cbor_written(&w) > 0);
    return w.length;
}

static unsigned encrypt_forms(void)
{
    static const struct {
        const char *header;
        size_t before, after;
        bool with_ours;
        enum sz_code code;
    } cases[] = {
        {"a10101", 0, 0, true, SZ_OK},
        {"a10101", 15, 0, true, SZ_OK}, /* 16 recipients, ours the last */
        {"a10101", 7, 8, true, SZ_OK},
        {"a10101", 16, 0, true, SZ_MALFORMED}, /* 17 */
        {"a10101", 0, 0, false, SZ_MALFORMED}, /* none */
        {"a10101", 3, 0, false, SZ_STALE_NONCE},
        {"a10102", 0, 0, true, SZ_UNKNOWN_ALGORITHM},
        {"a201010300", 0, 0, true, SZ_MALFORMED},
        {"", 0, 0, true, SZ_MALFORMED},
        {"a0", 0, 0, true, SZ_MALFORMED},
    };
    static uint8_t message[4096];
    unsigned count = 0;
    for (size_t i = 0; i < sizeof recipient_headers / sizeof recipient_headers[0]; i++, count++) {
        trust_test_now = recipient_headers[i].protected_header;
        const size_t length =
            put_encrypt(&recipient_headers[i], "a10101", 1, 1, true, message, sizeof message);
        expect_code(trust_open_encrypt(SZ_BYTES(message, length)), recipient_headers[i].code);
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++, count++) {
        trust_test_now = cases[i].header;
        const size_t length = put_encrypt(&recipient_headers[0], cases[i].header, cases[i].before,
                                          cases[i].after, cases[i].with_ours, message, sizeof message);
        expect_code(trust_open_encrypt(SZ_BYTES(message, length)), cases[i].code);
    }
    /* An encapsulated key of small order: agreed with, it would panic the TA. The key stands 34 bytes before
     * the end. */
    const size_t length = put_encrypt(&recipient_headers[0], "a10101", 0, 0, true, message, sizeof message);
    memset(message + length - 34 - SZ_KEY_SIZE, 0, SZ_KEY_SIZE);
    CHECK(trust_open_encrypt(SZ_BYTES(message, length)) == SZ_BAD_KEY);
    return count + 1;
}

int main(void)
{
    CHECK(sz_crypto_init() == SZ_OK);
    trust_make_keys();
    const unsigned sign1 = sign1_forms(), records = record_forms(), encrypts = encrypt_forms();
    printf("COSE: %u forms of Sign1, %u of records, %u of Encrypt\n", sign1, records, encrypts);
    CHECK(sign1 > 20 && records > 10 && encrypts > 10);
    sz_crypto_release();
    return 0;
}
