#include "trust/hpke.h"
#include "trust/hpke_internal.h"

#include <string.h>

/* suite_id of the KEM: "KEM" and 0x0020 (section 4.1). */
static const uint8_t kem_suite[] = {'K', 'E', 'M', 0x00, 0x20};
/* suite_id of HPKE: "HPKE", KEM 0x0020, KDF 0x0001, AEAD 0x0001 (section 5.1). */
static const uint8_t hpke_suite[] = {'H', 'P', 'K', 'E', 0x00, 0x20, 0x00, 0x01, 0x00, 0x01};

static const struct sz_bytes kem = {kem_suite, sizeof kem_suite};
static const struct sz_bytes hpke = {hpke_suite, sizeof hpke_suite};
static const struct sz_bytes none = {NULL, 0};

enum { MODE_BASE = 0 };

static enum sz_code labeled_extract(struct sz_bytes suite, struct sz_bytes salt, struct sz_bytes label,
                                    struct sz_bytes ikm, uint8_t prk[SZ_SHA256_SIZE])
{
    const struct sz_bytes pieces[] = {SZ_TEXT("HPKE-v1"), suite, label, ikm};
    return sz_hkdf_extract(salt, pieces, 4, prk);
}

static enum sz_code labeled_expand(struct sz_bytes suite, const uint8_t prk[SZ_SHA256_SIZE],
                                   struct sz_bytes label, struct sz_bytes info, struct sz_bytes more_info,
                                   uint8_t *out, size_t length)
{
    const uint8_t size[2] = {(uint8_t)(length >> 8), (uint8_t)length};
    const struct sz_bytes pieces[] = {SZ_BYTES(size, 2), SZ_TEXT("HPKE-v1"), suite, label, info, more_info};
    return sz_hkdf_expand(SZ_BYTES(prk, SZ_SHA256_SIZE), pieces, 6, out, length);
}

enum sz_code sz_hpke_shared_secret(const uint8_t dh[SZ_KEY_SIZE], const uint8_t enc[SZ_KEY_SIZE],
                                   const uint8_t recipient[SZ_KEY_SIZE],
                                   uint8_t shared_secret[SZ_SHA256_SIZE])
{
    uint8_t prk[SZ_SHA256_SIZE];
    enum sz_code code = labeled_extract(kem, none, SZ_TEXT("eae_prk"), SZ_BYTES(dh, SZ_KEY_SIZE), prk);
    if (code == SZ_OK) {
        code = labeled_expand(kem, prk, SZ_TEXT("shared_secret"), SZ_BYTES(enc, SZ_KEY_SIZE),
                              SZ_BYTES(recipient, SZ_KEY_SIZE), shared_secret, SZ_SHA256_SIZE);
    }
    sz_wipe(prk, sizeof prk);
    return code;
}

enum sz_code sz_hpke_key_schedule(const uint8_t shared_secret[SZ_SHA256_SIZE], struct sz_bytes info,
                                  struct sz_hpke_keys *keys)
{
    uint8_t context[1 + 2 * SZ_SHA256_SIZE] = {MODE_BASE};
    const struct sz_bytes whole = SZ_BYTES(context, sizeof context);
    uint8_t secret[SZ_SHA256_SIZE];
    enum sz_code code = labeled_extract(hpke, none, SZ_TEXT("psk_id_hash"), none, context + 1);
    if (code == SZ_OK) {
        code = labeled_extract(hpke, none, SZ_TEXT("info_hash"), info, context + 1 + SZ_SHA256_SIZE);
    }
    if (code == SZ_OK) {
        code =
            labeled_extract(hpke, SZ_BYTES(shared_secret, SZ_SHA256_SIZE), SZ_TEXT("secret"), none, secret);
    }
    if (code == SZ_OK) {
        code = labeled_expand(hpke, secret, SZ_TEXT("key"), whole, none, keys->key, SZ_AES_KEY_SIZE);
    }
    if (code == SZ_OK) {
        code =
            labeled_expand(hpke, secret, SZ_TEXT("base_nonce"), whole, none, keys->base_nonce, SZ_NONCE_SIZE);
    }
    sz_wipe(secret, sizeof secret);
    if (code != SZ_OK) {
        sz_wipe(keys, sizeof *keys);
    }
    return code;
}

/* own agrees with peer; enc and recipient are the public keys of the two in HPKE's order. */
static enum sz_code derive(const struct sz_agreement_key *own, const uint8_t *peer, const uint8_t *enc,
                           const uint8_t *recipient, struct sz_bytes info, struct sz_hpke_keys *keys)
{
    uint8_t dh[SZ_KEY_SIZE], shared_secret[SZ_SHA256_SIZE];
    enum sz_code code = sz_x25519_agree(own->private_key, own->public_key, peer, dh);
    if (code == SZ_OK) {
        code = sz_hpke_shared_secret(dh, enc, recipient, shared_secret);
    }
    if (code == SZ_OK) {
        code = sz_hpke_key_schedule(shared_secret, info, keys);
    }
    sz_wipe(dh, sizeof dh);
    sz_wipe(shared_secret, sizeof shared_secret);
    return code;
}

enum sz_code sz_hpke_open(const struct sz_agreement_key *own, const uint8_t enc[SZ_KEY_SIZE],
                          struct sz_bytes info, struct sz_bytes aad, struct sz_bytes sealed, uint8_t *out)
{
    struct sz_hpke_keys keys;
    enum sz_code code;
    if (sealed.length < SZ_TAG_SIZE) {
        return SZ_TRUNCATED;
    }
    code = derive(own, enc, enc, own->public_key, info, &keys);
    if (code == SZ_OK) {
        const size_t length = sealed.length - SZ_TAG_SIZE;
        code =
            sz_gcm_open(keys.key, keys.base_nonce, aad, SZ_BYTES(sealed.at, length), sealed.at + length, out);
    }
    sz_wipe(&keys, sizeof keys);
    return code;
}

enum sz_code sz_hpke_seal_with(const struct sz_agreement_key *ephemeral, const uint8_t recipient[SZ_KEY_SIZE],
                               struct sz_bytes info, struct sz_bytes aad, struct sz_bytes plaintext,
                               uint8_t enc[SZ_KEY_SIZE], uint8_t *sealed)
{
    struct sz_hpke_keys keys;
    enum sz_code code = derive(ephemeral, recipient, ephemeral->public_key, recipient, info, &keys);
    if (code == SZ_OK) {
        code = sz_gcm_seal(keys.key, keys.base_nonce, aad, plaintext, sealed, sealed + plaintext.length);
    }
    if (code == SZ_OK) {
        memcpy(enc, ephemeral->public_key, SZ_KEY_SIZE);
    }
    sz_wipe(&keys, sizeof keys);
    return code;
}

enum sz_code sz_hpke_seal(const uint8_t recipient[SZ_KEY_SIZE], struct sz_bytes info, struct sz_bytes aad,
                          struct sz_bytes plaintext, uint8_t enc[SZ_KEY_SIZE], uint8_t *sealed)
{
    struct sz_agreement_key ephemeral = {0};
    enum sz_code code = sz_x25519_generate(ephemeral.private_key, ephemeral.public_key);
    if (code == SZ_OK) {
        code = sz_hpke_seal_with(&ephemeral, recipient, info, aad, plaintext, enc, sealed);
    }
    sz_wipe(&ephemeral, sizeof ephemeral);
    return code;
}
