/* The COSE working group's examples. Their headers are placed more freely than the protocol's, so the
 * messages are taken apart here; what is signed, what is authenticated, the nonce and the algorithms are the
 * product's. ES256, which the protocol does not have, is verified by libcrypto over the product's
 * Sig_structure. */
#include "trust/cose_structures.h"
#include "trust/crypto.h"
#include "trust_vectors.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <string.h>

struct headers {
    struct sz_bytes authenticated; /* an empty protected map counts as an empty string */
    int64_t alg;                   /* 0: none, or no number */
    struct sz_bytes iv, partial_iv;
};

static void read_bucket(struct sz_cbor_reader *r, struct headers *out)
{
    for (size_t left = sz_cbor_map(r); left > 0 && sz_cbor_ok(r); left--) {
        const int64_t label = sz_cbor_int(r);
        struct sz_cbor_reader item = sz_cbor_reader(sz_cbor_skip(r));
        if (label == SZ_COSE_ALG) {
            out->alg = sz_cbor_int(&item);
        } else if (label == SZ_COSE_IV) {
            out->iv = sz_cbor_bstr(&item);
        } else if (label == SZ_COSE_PARTIAL_IV) {
            out->partial_iv = sz_cbor_bstr(&item);
        }
    }
}

static struct headers read_headers(struct sz_cbor_reader *r)
{
    struct headers out = {.alg = 0};
    const struct sz_bytes bytes = sz_cbor_bstr(r);
    struct sz_cbor_reader inner = sz_cbor_reader(bytes);
    if (bytes.length > 1) {
        out.authenticated = bytes;
        read_bucket(&inner, &out);
        if (sz_cbor_done(&inner) != SZ_OK) {
            sz_cbor_fail(r, SZ_MALFORMED);
        }
    }
    read_bucket(r, &out);
    return out;
}

/* ECDSA over P-256 with SHA-256: key x ‖ y, signature r ‖ s. */
static bool verify_es256(struct sz_bytes key, struct sz_bytes message, struct sz_bytes signature)
{
    uint8_t point[65] = {4}, digest[SZ_SHA256_SIZE], der[80], *end = der;
    const uint8_t *at = point;
    CHECK(key.length == 64 && sz_sha256(message, digest) == SZ_OK);
    if (signature.length != 64) {
        return false;
    }
    memcpy(point + 1, key.at, 64);
    ECDSA_SIG *const sig = ECDSA_SIG_new();
    EVP_PKEY_CTX *const maker = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
    EVP_PKEY *pkey = NULL;
    CHECK(EVP_PKEY_paramgen_init(maker) == 1 &&
          EVP_PKEY_CTX_set_ec_paramgen_curve_nid(maker, NID_X9_62_prime256v1) == 1);
    CHECK(EVP_PKEY_paramgen(maker, &pkey) == 1 &&
          EVP_PKEY_set1_encoded_public_key(pkey, at, sizeof point) == 1);
    CHECK(ECDSA_SIG_set0(sig, BN_bin2bn(signature.at, 32, NULL), BN_bin2bn(signature.at + 32, 32, NULL)) ==
          1);
    const int length = i2d_ECDSA_SIG(sig, &end);
    EVP_PKEY_CTX *const verifier = EVP_PKEY_CTX_new(pkey, NULL);
    CHECK(length > 0 && EVP_PKEY_verify_init(verifier) == 1);
    const bool verified = EVP_PKEY_verify(verifier, der, (size_t)length, digest, sizeof digest) == 1;
    EVP_PKEY_CTX_free(verifier);
    EVP_PKEY_CTX_free(maker);
    EVP_PKEY_free(pkey);
    ECDSA_SIG_free(sig);
    return verified;
}

/* What a vector says. */
struct example {
    struct sz_bytes key, external, plaintext, structure, base_iv;
    bool good;
};

static void check_structure(const struct example *e, const struct sz_cbor_writer *w)
{
    if (e->good) {
        CHECK(trust_same(SZ_BYTES(w->at, sz_cbor_written(w)), e->structure));
    }
}

/* COSE_Sign1 behind its tag. */
static bool opens_sign1(struct sz_cbor_reader *r, const struct example *e, bool es256)
{
    uint8_t structure[256];
    struct sz_cbor_writer w = sz_cbor_writer(structure, sizeof structure);
    sz_cbor_array_of(r, 4);
    const struct headers headers = read_headers(r);
    const struct sz_bytes payload = sz_cbor_bstr(r), signature = sz_cbor_bstr(r);
    if (sz_cbor_done(r) != SZ_OK || headers.alg != (es256 ? -7 : SZ_COSE_EDDSA)) {
        return false;
    }
    sz_cose_sig_structure(&w, headers.authenticated, e->external, payload);
    check_structure(e, &w);
    const struct sz_bytes message = SZ_BYTES(structure, sz_cbor_written(&w));
    CHECK(message.length > 0);
    if (es256) {
        return verify_es256(e->key, message, signature) && trust_same(payload, e->plaintext);
    }
    return signature.length == SZ_SIGNATURE_SIZE &&
           sz_ed25519_verify(e->key.at, message, signature.at) == SZ_OK && trust_same(payload, e->plaintext);
}

/* COSE_Sign behind its tag: not a form of the protocol, only codec and signature are the product's. */
static bool opens_sign(struct sz_cbor_reader *r, const struct example *e)
{
    uint8_t structure[256];
    struct sz_cbor_writer w = sz_cbor_writer(structure, sizeof structure);
    sz_cbor_array_of(r, 4);
    const struct headers body = read_headers(r);
    const struct sz_bytes payload = sz_cbor_bstr(r);
    sz_cbor_array_of(r, 1);
    sz_cbor_array_of(r, 3);
    const struct headers signer = read_headers(r);
    const uint8_t *const signature = sz_cbor_bstr_of(r, SZ_SIGNATURE_SIZE);
    if (sz_cbor_done(r) != SZ_OK || signer.alg != SZ_COSE_EDDSA) {
        return false;
    }
    sz_cbor_put_array(&w, 5);
    sz_cbor_put_text(&w, "Signature");
    sz_cbor_put_bstr(&w, body.authenticated.at, body.authenticated.length);
    sz_cbor_put_bstr(&w, signer.authenticated.at, signer.authenticated.length);
    sz_cbor_put_bstr(&w, e->external.at, e->external.length);
    sz_cbor_put_bstr(&w, payload.at, payload.length);
    check_structure(e, &w);
    return sz_ed25519_verify(e->key.at, SZ_BYTES(structure, sz_cbor_written(&w)), signature) == SZ_OK;
}

/* COSE_Encrypt0 (three items) or COSE_Encrypt with a direct key (four) behind their tag. */
static bool opens_encrypted(struct sz_cbor_reader *r, const struct example *e, const char *context,
                            size_t items)
{
    uint8_t structure[256], nonce[SZ_NONCE_SIZE] = {0}, out[256];
    struct sz_cbor_writer w = sz_cbor_writer(structure, sizeof structure);
    sz_cbor_array_of(r, items);
    const struct headers headers = read_headers(r);
    const struct sz_bytes ciphertext = sz_cbor_bstr(r);
    if (items == 4) {
        (void)sz_cbor_skip(r);
    }
    if (sz_cbor_done(r) != SZ_OK || headers.alg != SZ_COSE_A128GCM || ciphertext.length < SZ_TAG_SIZE) {
        return false;
    }
    CHECK(headers.iv.length == SZ_NONCE_SIZE ||
          (headers.partial_iv.length > 0 && e->base_iv.length == SZ_NONCE_SIZE));
    memcpy(nonce, headers.iv.length > 0 ? headers.iv.at : e->base_iv.at, SZ_NONCE_SIZE);
    for (size_t i = 0; i < headers.partial_iv.length; i++) {
        nonce[SZ_NONCE_SIZE - headers.partial_iv.length + i] ^= headers.partial_iv.at[i];
    }
    sz_cose_enc_structure(&w, context, headers.authenticated, e->external);
    check_structure(e, &w);
    const size_t plain = ciphertext.length - SZ_TAG_SIZE;
    CHECK(plain <= sizeof out && e->key.length == SZ_AES_KEY_SIZE);
    return sz_gcm_open(e->key.at, nonce, SZ_BYTES(structure, sz_cbor_written(&w)),
                       SZ_BYTES(ciphertext.at, plain), ciphertext.at + plain, out) == SZ_OK &&
           trust_same(SZ_BYTES(out, plain), e->plaintext);
}

/* name kind result tagged message key external plaintext structure base-iv */
bool vector_cose(const struct trust_line *line)
{
    static const struct {
        const char *kind;
        uint64_t tag;
    } kinds[] = {{"sign1", 18}, {"sign1-es256", 18}, {"sign", 98}, {"encrypt0", 16}, {"encrypt", 96}};
    trust_test_now = line->words[1];
    const bool tagged = strcmp(line->words[4], "tagged") == 0;
    const struct sz_bytes message = trust_hex(line, 5);
    const struct example e = {trust_hex(line, 6), trust_hex(line, 7),  trust_hex(line, 8),
                              trust_hex(line, 9), trust_hex(line, 10), strcmp(line->words[3], "valid") == 0};
    struct sz_cbor_reader r = sz_cbor_reader(message);
    size_t kind = 0;
    bool opened;
    CHECK(sz_cbor_check(message) == SZ_OK);
    while (strcmp(kinds[kind].kind, line->words[2]) != 0) {
        kind++;
        CHECK(kind < sizeof kinds / sizeof kinds[0]);
    }
    if (tagged && sz_cbor_tag(&r) != kinds[kind].tag) {
        CHECK(!e.good);
        return true;
    }
    if (kind < 2) {
        opened = opens_sign1(&r, &e, kind == 1);
    } else if (kind == 2) {
        opened = opens_sign(&r, &e);
    } else {
        opened = opens_encrypted(&r, &e, kind == 3 ? "Encrypt0" : "Encrypt", kind == 3 ? 3 : 4);
    }
    CHECK(opened == e.good);
    return !e.good;
}
