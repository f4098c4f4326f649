/* The three COSE forms: good messages in every capacity, and each of them altered in every bit, cut at every
 * byte, extended, and opened with what does not belong to it. */
#include "trust_cose_samples.h"

#include <string.h>

static enum sz_code open_copy(enum sz_code (*open)(struct sz_bytes), const uint8_t *bytes, size_t length)
{
    uint8_t *const copy = trust_copy(bytes, length);
    const enum sz_code code = open(SZ_BYTES(copy, length));
    free(copy);
    return code;
}

static const struct form {
    const char *name;
    size_t (*make)(uint8_t *, size_t);
    enum sz_code (*open)(struct sz_bytes);
    size_t overhead; /* as promised */
} forms[] = {
    {"Sign1", trust_make_sign1, trust_open_sign1, SZ_SIGN1_OVERHEAD},
    {"record", trust_make_record, trust_open_record, SZ_RECORD_OVERHEAD},
    {"Encrypt", trust_make_encrypt, trust_open_encrypt, SZ_ENCRYPT_OVERHEAD},
};

static unsigned alter(const struct form *form)
{
    uint8_t message[512];
    unsigned cases = 0;
    trust_test_now = form->name;
    /* The promised overhead suffices, and is not far off. */
    const size_t length = form->make(message, TRUST_PAYLOAD.length + form->overhead);
    CHECK(length + 24 > TRUST_PAYLOAD.length + form->overhead);
    CHECK(open_copy(form->open, message, length) == SZ_OK);
    for (size_t bit = 0; bit < 8 * length; bit++, cases++) {
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(open_copy(form->open, message, length) != SZ_OK);
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < length; cut++, cases++) {
        CHECK(open_copy(form->open, message, cut) == SZ_TRUNCATED);
    }
    message[length] = 0;
    CHECK(open_copy(form->open, message, length + 1) == SZ_TRAILING_BYTES);
    CHECK(open_copy(form->open, message, length) == SZ_OK);
    return cases + 2;
}

static unsigned wrong_sign1(void)
{
    uint8_t message[256], scratch[256], small[256];
    struct sz_sign1 sign1;
    size_t length = trust_make_sign1(message, sizeof message), written;
    trust_test_now = "Sign1 with what does not belong";
    CHECK(sz_sign1_read(SZ_BYTES(message, length), &sign1) == SZ_OK);
    CHECK(sz_sign1_verify(&sign1, trust_signer.public_key, SZ_TEXT("smart-zone/1/hello"), scratch,
                          sizeof scratch) == SZ_BAD_SIGNATURE);
    CHECK(sz_sign1_verify(&sign1, trust_receiver.public_key, TRUST_AAD, scratch, sizeof scratch) ==
          SZ_BAD_SIGNATURE);
    /* Scratch of just the documented size, and one byte less than the structure needs. */
    const size_t needed = TRUST_PAYLOAD.length + TRUST_AAD.length + SZ_SIGN1_STRUCTURE_OVERHEAD;
    uint8_t *const exact = malloc(needed);
    CHECK(exact != NULL);
    CHECK(sz_sign1_verify(&sign1, trust_signer.public_key, TRUST_AAD, exact, needed) == SZ_OK);
    CHECK(sz_sign1_verify(&sign1, trust_signer.public_key, TRUST_AAD, exact, 60) == SZ_TOO_LONG);
    free(exact);
    for (size_t capacity = 0; capacity < length; capacity++) {
        uint8_t *const out = malloc(capacity > 0 ? capacity : 1);
        CHECK(out != NULL);
        CHECK(sz_sign1_sign(&trust_signer, TRUST_PAYLOAD, TRUST_AAD, out, capacity, &written) ==
                  SZ_BUFFER_TOO_SMALL &&
              written == 0);
        free(out);
    }
    /* A detached payload: the same message with nil in its place. */
    const size_t head = (size_t)(sign1.payload.at - message) - 2,
                 tail = (size_t)(sign1.payload.at - message) + sign1.payload.length;
    memcpy(small, message, head);
    small[head] = 0xf6;
    memcpy(small + head + 1, message + tail, length - tail);
    length = head + 1 + length - tail;
    CHECK(sz_sign1_read(SZ_BYTES(small, length), &sign1) == SZ_MALFORMED);
    CHECK(sz_sign1_read_detached(SZ_BYTES(small, length), TRUST_PAYLOAD, &sign1) == SZ_OK);
    CHECK(sz_sign1_verify(&sign1, trust_signer.public_key, TRUST_AAD, scratch, sizeof scratch) == SZ_OK);
    CHECK(sz_sign1_read_detached(SZ_BYTES(small, length), SZ_TEXT("another"), &sign1) == SZ_OK);
    CHECK(sz_sign1_verify(&sign1, trust_signer.public_key, TRUST_AAD, scratch, sizeof scratch) ==
          SZ_BAD_SIGNATURE);
    CHECK(sz_sign1_read_detached(SZ_BYTES(message, trust_make_sign1(message, sizeof message)), TRUST_PAYLOAD,
                                 &sign1) == SZ_MALFORMED);
    return 10;
}

static unsigned wrong_record(void)
{
    static const uint64_t numbers[] = {
        0, 1, 255, 256, 65535, 65536, 0xffffff, 0x1000000, SZ_RECORD_LAST_NUMBER};
    static uint8_t plain[200000], message[200100], out[200000];
    uint8_t nonce[SZ_NONCE_SIZE], tag[SZ_TAG_SIZE], digest[SZ_SHA256_SIZE], expected[SZ_SHA256_SIZE];
    const uint8_t other_key[SZ_AES_KEY_SIZE] = {1};
    struct sz_record_header header;
    size_t length, opened;
    unsigned cases = 0;
    trust_test_now = "record with what does not belong";
    memset(plain, 0x77, sizeof plain);
    /* A big one: its header is read from a prefix, its ciphertext in pieces. */
    CHECK(sz_record_seal(trust_channel, 7, trust_channel_key, TRUST_AAD, SZ_BYTES(plain, sizeof plain),
                         message, sizeof message, &length) == SZ_OK);
    CHECK(sz_record_read(SZ_BYTES(message, SZ_RECORD_PREFIX), length, &header) == SZ_OK &&
          header.number == 7);
    CHECK(header.ciphertext_at + header.ciphertext_length == length && header.ciphertext_at <= 48);
    CHECK(sz_record_open(&header, trust_channel_key, TRUST_AAD, message, out, sizeof out, &opened, digest,
                         tag) == SZ_OK);
    CHECK(opened == sizeof plain && memcmp(out, plain, opened) == 0);
    CHECK(sz_sha256(SZ_BYTES(message + header.ciphertext_at, header.ciphertext_length), expected) == SZ_OK);
    CHECK(memcmp(digest, expected, sizeof digest) == 0 &&
          memcmp(tag, message + length - SZ_TAG_SIZE, sizeof tag) == 0);
    CHECK(sz_record_open(&header, trust_channel_key, TRUST_AAD, message, out, sizeof out - 1, &opened, NULL,
                         NULL) == SZ_TOO_LONG);
    CHECK(sz_record_open(&header, other_key, TRUST_AAD, message, out, sizeof out, &opened, NULL, NULL) ==
          SZ_BAD_TAG);
    CHECK(out[0] == 0 && out[sizeof out - 1] == 0 && opened == 0);
    CHECK(sz_record_open(&header, trust_channel_key, SZ_TEXT("else"), message, out, sizeof out, &opened, NULL,
                         NULL) == SZ_BAD_TAG);
    CHECK(sz_record_read(SZ_BYTES(message, SZ_RECORD_PREFIX), length + 1, &header) == SZ_TRAILING_BYTES);
    CHECK(sz_record_read(SZ_BYTES(message, SZ_RECORD_PREFIX), length - 1, &header) == SZ_TRUNCATED);
    CHECK(sz_record_read(SZ_BYTES(message, SZ_RECORD_PREFIX), SZ_RECORD_PREFIX - 1, &header) == SZ_MALFORMED);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++, cases++) {
        CHECK(sz_record_seal(trust_channel, numbers[i], trust_channel_key, TRUST_AAD, SZ_BYTES(plain, 5),
                             message, 5 + SZ_RECORD_OVERHEAD, &length) == SZ_OK);
        CHECK(sz_record_read(SZ_BYTES(message, length), length, &header) == SZ_OK &&
              header.number == numbers[i]);
        CHECK(sz_record_open(&header, trust_channel_key, TRUST_AAD, message, out, 5, &opened, NULL, NULL) ==
              SZ_OK);
        for (size_t capacity = 0; capacity < length; capacity++) {
            CHECK(sz_record_seal(trust_channel, numbers[i], trust_channel_key, TRUST_AAD, SZ_BYTES(plain, 5),
                                 out, capacity, &opened) == SZ_BUFFER_TOO_SMALL);
        }
    }
    CHECK(sz_record_seal(trust_channel, SZ_RECORD_LAST_NUMBER + 1, trust_channel_key, TRUST_AAD,
                         SZ_BYTES(plain, 5), message, sizeof message, &length) == SZ_CHANNEL_FULL);
    CHECK(sz_record_seal(trust_channel, 1, trust_channel_key, SZ_BYTES(plain, SZ_RECORD_EXTERNAL_AAD + 30),
                         SZ_BYTES(plain, 5), message, sizeof message, &length) == SZ_TOO_LONG);
    CHECK(sz_record_seal(trust_channel, 1, trust_channel_key, SZ_BYTES(plain, SZ_RECORD_EXTERNAL_AAD),
                         SZ_BYTES(plain, 0), message, sizeof message, &length) == SZ_OK);
    sz_record_nonce(0x0102030405, nonce);
    CHECK(memcmp(nonce, "\0\0\0\0\0\0\0\1\2\3\4\5", sizeof nonce) == 0);
    return cases + 12;
}

static unsigned wrong_encrypt(void)
{
    uint8_t message[512], out[128], zeros[SZ_KEY_SIZE] = {0};
    struct sz_agreement_key other;
    size_t opened;
    const size_t length = trust_make_encrypt(message, sizeof message);
    const struct sz_bytes whole = SZ_BYTES(message, length);
    trust_test_now = "Encrypt with what does not belong";
    CHECK(sz_agreement_key_generate(&other) == SZ_OK);
    CHECK(sz_encrypt_open(whole, &other, TRUST_EXTRA, TRUST_AAD, out, sizeof out, &opened) == SZ_STALE_NONCE);
    memcpy(other.kid, trust_receiver.kid, SZ_KID_SIZE); /* the name alone opens nothing */
    CHECK(sz_encrypt_open(whole, &other, TRUST_EXTRA, TRUST_AAD, out, sizeof out, &opened) ==
          SZ_DECRYPT_FAILED);
    CHECK(sz_encrypt_open(whole, &trust_receiver, SZ_TEXT("else"), TRUST_AAD, out, sizeof out, &opened) ==
          SZ_DECRYPT_FAILED);
    CHECK(sz_encrypt_open(whole, &trust_receiver, TRUST_EXTRA, SZ_TEXT("else"), out, sizeof out, &opened) ==
          SZ_DECRYPT_FAILED);
    CHECK(sz_encrypt_open(whole, &trust_receiver, TRUST_EXTRA, TRUST_AAD, out, TRUST_PAYLOAD.length - 1,
                          &opened) == SZ_TOO_LONG);
    CHECK(sz_encrypt_open(whole, &trust_receiver, SZ_BYTES(message, 200), TRUST_AAD, out, sizeof out,
                          &opened) == SZ_TOO_LONG);
    CHECK(sz_encrypt_open(whole, &trust_receiver, TRUST_EXTRA, SZ_BYTES(message, 200), out, sizeof out,
                          &opened) == SZ_TOO_LONG);
    CHECK(sz_encrypt_open(whole, &trust_receiver, TRUST_EXTRA, TRUST_AAD, out, TRUST_PAYLOAD.length,
                          &opened) == SZ_OK);
    CHECK(sz_encrypt_seal(zeros, TRUST_EXTRA, TRUST_AAD, TRUST_PAYLOAD, message, sizeof message, &opened) ==
              SZ_BAD_KEY &&
          opened == 0);
    for (size_t capacity = 0; capacity < length; capacity++) {
        uint8_t *const small = malloc(capacity > 0 ? capacity : 1);
        CHECK(small != NULL);
        CHECK(sz_encrypt_seal(other.public_key, TRUST_EXTRA, TRUST_AAD, TRUST_PAYLOAD, small, capacity,
                              &opened) == SZ_BUFFER_TOO_SMALL &&
              opened == 0);
        free(small);
    }
    return 9 + (unsigned)length;
}

int main(void)
{
    CHECK(sz_crypto_init() == SZ_OK);
    trust_make_keys();
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const unsigned cases = alter(&forms[i]);
        printf("COSE: %s: %u altered, cut or extended messages refused\n", forms[i].name, cases);
        CHECK(cases > 500);
    }
    printf("COSE: %u cases of Sign1, %u of records, %u of Encrypt with keys, data and buffers that do not "
           "belong\n",
           wrong_sign1(), wrong_record(), wrong_encrypt());
    sz_crypto_release();
    return 0;
}
