/* Keys and good messages that the COSE tests alter. */
#ifndef TRUST_COSE_SAMPLES_H
#define TRUST_COSE_SAMPLES_H

#include "trust/cose_encrypt.h"
#include "trust/cose_record.h"
#include "trust/cose_sign1.h"
#include "trust_test.h"

extern struct sz_signing_key trust_signer;
extern struct sz_agreement_key trust_receiver;
extern const uint8_t trust_channel[SZ_CHANNEL_ID_SIZE];
extern const uint8_t trust_channel_key[SZ_AES_KEY_SIZE];

#define TRUST_AAD SZ_TEXT("smart-zone/1/offer")
#define TRUST_EXTRA SZ_TEXT("who talks to whom")
#define TRUST_PAYLOAD SZ_TEXT("what nobody but the receiver should know")

/* Makes the keys. */
void trust_make_keys(void);

/* Opens a message of one form, from memory of exactly its size: SZ_OK only with the payload that belongs
 * there. Whatever is refused must leave nothing of the plaintext behind. */
enum sz_code trust_open_sign1(struct sz_bytes message);
enum sz_code trust_open_record(struct sz_bytes message);
enum sz_code trust_open_encrypt(struct sz_bytes message);

/* Good messages over TRUST_PAYLOAD; their lengths. */
size_t trust_make_sign1(uint8_t *out, size_t capacity);
size_t trust_make_record(uint8_t *out, size_t capacity);
size_t trust_make_encrypt(uint8_t *out, size_t capacity);

#endif
