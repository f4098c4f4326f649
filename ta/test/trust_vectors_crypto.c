/* Wycheproof and RFC 9180, appendix A.1.1, against the wrapper of the TEE's crypto API. */
#include "trust/hpke_internal.h"
#include "trust_vectors.h"

#include <string.h>

static bool valid(const struct trust_line *line)
{
    trust_test_now = line->words[1];
    return strcmp(line->words[2], "valid") == 0;
}

/* tcId result key iv aad message ciphertext tag */
bool vector_gcm(const struct trust_line *line)
{
    const bool good = valid(line);
    const struct sz_bytes key = trust_hex(line, 3), iv = trust_hex(line, 4), aad = trust_hex(line, 5),
                          message = trust_hex(line, 6), ciphertext = trust_hex(line, 7),
                          tag = trust_hex(line, 8);
    uint8_t *const out = trust_copy(ciphertext.at, ciphertext.length);
    uint8_t *const sealed = malloc(ciphertext.length + SZ_TAG_SIZE), new_tag[SZ_TAG_SIZE];
    CHECK(sealed != NULL && key.length == SZ_AES_KEY_SIZE && iv.length == SZ_NONCE_SIZE &&
          tag.length == SZ_TAG_SIZE);
    enum sz_code code = sz_gcm_open(key.at, iv.at, aad, ciphertext, tag.at, out);
    CHECK(code == (good ? SZ_OK : SZ_BAD_TAG));
    if (good) {
        CHECK(trust_same(SZ_BYTES(out, ciphertext.length), message));
        CHECK(sz_gcm_seal(key.at, iv.at, aad, message, sealed, new_tag) == SZ_OK);
        CHECK(trust_same(SZ_BYTES(sealed, message.length), ciphertext) &&
              trust_same(SZ_BYTES(new_tag, 16), tag));
    }
    /* The same from shared memory. */
    if (ciphertext.length > 0) {
        memcpy(sealed, ciphertext.at, ciphertext.length);
    }
    memcpy(sealed + ciphertext.length, tag.at, SZ_TAG_SIZE);
    code = sz_gcm_open_shared(key.at, iv.at, aad, sealed, ciphertext.length + SZ_TAG_SIZE, out, NULL, NULL);
    CHECK(code == (good ? SZ_OK : SZ_BAD_TAG));
    for (size_t i = 0; i < ciphertext.length; i++) {
        CHECK(out[i] == (good ? message.at[i] : 0));
    }
    free(out);
    free(sealed);
    return !good;
}

/* tcId result public private shared; where the shared secret is all zeros the key is refused. */
bool vector_x25519(const struct trust_line *line)
{
    static const uint8_t base_point[SZ_KEY_SIZE] = {9}, zeros[SZ_KEY_SIZE];
    uint8_t own[SZ_KEY_SIZE], shared[SZ_KEY_SIZE];
    (void)valid(line);
    const struct sz_bytes peer = trust_hex(line, 3), private_key = trust_hex(line, 4),
                          expected = trust_hex(line, 5);
    CHECK(peer.length == SZ_KEY_SIZE && private_key.length == SZ_KEY_SIZE && expected.length == SZ_KEY_SIZE);
    const bool refused = memcmp(expected.at, zeros, SZ_KEY_SIZE) == 0;
    CHECK(sz_x25519_agree(private_key.at, zeros, base_point, own) == SZ_OK);
    CHECK(sz_x25519_agree(private_key.at, own, peer.at, shared) == (refused ? SZ_BAD_KEY : SZ_OK));
    CHECK(sz_x25519_acceptable(peer.at) == !refused);
    CHECK(trust_same(SZ_BYTES(shared, SZ_KEY_SIZE), expected));
    return refused;
}

/* tcId result public message signature */
bool vector_ed25519(const struct trust_line *line)
{
    const bool good = valid(line);
    const struct sz_bytes key = trust_hex(line, 3), message = trust_hex(line, 4),
                          signature = trust_hex(line, 5);
    CHECK(key.length == SZ_KEY_SIZE);
    /* Messages carry signatures of 64 bytes or are malformed (sz_sign1_read). */
    const bool verified =
        signature.length == SZ_SIGNATURE_SIZE && sz_ed25519_verify(key.at, message, signature.at) == SZ_OK;
    CHECK(verified == good);
    return !good;
}

/* tcId result key message tag, which may be truncated */
bool vector_hmac(const struct trust_line *line)
{
    const bool good = valid(line);
    const struct sz_bytes key = trust_hex(line, 3), message = trust_hex(line, 4), tag = trust_hex(line, 5);
    const size_t half = message.length / 2;
    const struct sz_bytes pieces[] = {SZ_BYTES(message.at, half),
                                      SZ_BYTES(message.at + half, message.length - half)};
    uint8_t out[SZ_SHA256_SIZE];
    CHECK(tag.length > 0 && tag.length <= sizeof out);
    CHECK(sz_hmac_sha256(key, pieces, 2, out) == SZ_OK);
    CHECK(sz_equal(out, tag.at, tag.length) == good);
    return !good;
}

/* tcId result ikm salt info size okm */
bool vector_hkdf(const struct trust_line *line)
{
    const bool good = valid(line);
    const struct sz_bytes ikm = trust_hex(line, 3), salt = trust_hex(line, 4), info = trust_hex(line, 5),
                          okm = trust_hex(line, 7);
    const size_t size = (size_t)strtoul(line->words[6], NULL, 10);
    uint8_t prk[SZ_SHA256_SIZE];
    uint8_t *const out = malloc(size > 0 ? size : 1);
    CHECK(out != NULL && sz_hkdf_extract(salt, &ikm, 1, prk) == SZ_OK);
    CHECK(sz_hkdf_expand(SZ_BYTES(prk, sizeof prk), &info, 1, out, size) ==
          (good ? SZ_OK : SZ_CRYPTO_FAILED));
    CHECK(!good || trust_same(SZ_BYTES(out, size), okm));
    free(out);
    return !good;
}

static struct sz_agreement_key agreement_key(struct sz_bytes private_key, struct sz_bytes public_key)
{
    struct sz_agreement_key key = {0};
    CHECK(private_key.length == SZ_KEY_SIZE && public_key.length == SZ_KEY_SIZE);
    memcpy(key.private_key, private_key.at, SZ_KEY_SIZE);
    memcpy(key.public_key, public_key.at, SZ_KEY_SIZE);
    return key;
}

/* skEm pkEm skRm pkRm info aad plaintext ciphertext: both directions */
bool vector_hpke(const struct trust_line *line)
{
    const struct sz_agreement_key ephemeral = agreement_key(trust_hex(line, 1), trust_hex(line, 2));
    const struct sz_agreement_key own = agreement_key(trust_hex(line, 3), trust_hex(line, 4));
    const struct sz_bytes info = trust_hex(line, 5), aad = trust_hex(line, 6), plaintext = trust_hex(line, 7),
                          expected = trust_hex(line, 8);
    uint8_t enc[SZ_KEY_SIZE];
    uint8_t *const sealed = malloc(plaintext.length + SZ_TAG_SIZE), *const opened = malloc(plaintext.length);
    CHECK(sealed != NULL && opened != NULL);
    CHECK(sz_hpke_seal_with(&ephemeral, own.public_key, info, aad, plaintext, enc, sealed) == SZ_OK);
    CHECK(memcmp(enc, ephemeral.public_key, SZ_KEY_SIZE) == 0);
    CHECK(trust_same(SZ_BYTES(sealed, plaintext.length + SZ_TAG_SIZE), expected));
    CHECK(sz_hpke_open(&own, enc, info, aad, expected, opened) == SZ_OK);
    CHECK(trust_same(SZ_BYTES(opened, plaintext.length), plaintext));
    free(sealed);
    free(opened);
    return false;
}

/* info pkEm pkRm skRm shared_secret key base_nonce */
bool vector_hpke_schedule(const struct trust_line *line)
{
    const struct sz_bytes info = trust_hex(line, 1), enc = trust_hex(line, 2), recipient = trust_hex(line, 3),
                          expected = trust_hex(line, 5), key = trust_hex(line, 6), nonce = trust_hex(line, 7);
    const struct sz_agreement_key own = agreement_key(trust_hex(line, 4), recipient);
    uint8_t dh[SZ_KEY_SIZE], secret[SZ_SHA256_SIZE];
    struct sz_hpke_keys keys;
    CHECK(sz_x25519_agree(own.private_key, own.public_key, enc.at, dh) == SZ_OK);
    CHECK(sz_hpke_shared_secret(dh, enc.at, recipient.at, secret) == SZ_OK);
    CHECK(trust_same(SZ_BYTES(secret, sizeof secret), expected));
    CHECK(sz_hpke_key_schedule(secret, info, &keys) == SZ_OK);
    CHECK(trust_same(SZ_BYTES(keys.key, sizeof keys.key), key));
    CHECK(trust_same(SZ_BYTES(keys.base_nonce, sizeof keys.base_nonce), nonce));
    return false;
}
