/* Keys of a party and the names by which messages know them. */
#ifndef SZ_KID_H
#define SZ_KID_H

#include "trust/crypto.h"

enum { SZ_KID_SIZE = 8 };

/* COSE elliptic curves (RFC 9053, table 18). */
enum sz_curve { SZ_CURVE_X25519 = 4, SZ_CURVE_ED25519 = 6 };

/* Ed25519: signs for a party; its kid names the party. */
struct sz_signing_key {
    uint8_t seed[SZ_KEY_SIZE]; /* secret */
    uint8_t public_key[SZ_KEY_SIZE];
    uint8_t kid[SZ_KID_SIZE];
};

/* X25519: what is sealed to a party. */
struct sz_agreement_key {
    uint8_t private_key[SZ_KEY_SIZE]; /* secret */
    uint8_t public_key[SZ_KEY_SIZE];
    uint8_t kid[SZ_KID_SIZE];
};

/* First 8 bytes of the COSE Key Thumbprint (RFC 9679): SHA-256 of {1: 1 (OKP), -1: curve, -2: public key}. */
enum sz_code sz_kid(enum sz_curve curve, const uint8_t public_key[SZ_KEY_SIZE], uint8_t kid[SZ_KID_SIZE]);

/* New keys. On failure the key is wiped. */
enum sz_code sz_signing_key_generate(struct sz_signing_key *key);
enum sz_code sz_agreement_key_generate(struct sz_agreement_key *key);

#endif
