/* COSE_Sign1 (also detached), COSE_Encrypt, records and bare HPKE (an encapsulated key and what is sealed
 * under it). The first byte of an input chooses the form, and whether signatures and tags are taken as good.
 */
#include "fuzz.h"
#include "trust/cose_encrypt.h"
#include "trust/cose_record.h"
#include "trust/cose_sign1.h"
#include "trust/crypto.h"
#include "trust/hpke.h"

#include <string.h>

enum { CHECKS_PASS = 0x80 };
static const char *const names[FUZZ_COSE_FORMS] = {"sign1", "detached", "encrypt", "record", "hpke"};

static const uint8_t channel[SZ_CHANNEL_ID_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t channel_key[SZ_AES_KEY_SIZE] = {9, 8, 7};
static const uint8_t nothing[128];
#define AAD SZ_TEXT("smart-zone/1/offer")
#define EXTRA SZ_TEXT("who talks to whom")
#define PAYLOAD SZ_TEXT("what nobody but the receiver should know")

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    uint8_t out[512];
    size_t length;
    (void)argc;
    (void)argv;
    (void)fuzz_form(0, names, FUZZ_COSE_FORMS); /* a wrong FUZZ_ONLY ends here */
    fuzz_random_restart();
    FUZZ_CHECK(sz_crypto_init() == SZ_OK);
    fuzz_parties_make();
    for (int pass = 0; pass < 2; pass++) {
        uint8_t head;
        fuzz_checks_pass = pass == 1;
        FUZZ_CHECK(sz_sign1_sign(&fuzz_owner.signing, PAYLOAD, AAD, out, sizeof out, &length) == SZ_OK);
        head = (uint8_t)(FUZZ_SIGN1 | (pass ? CHECKS_PASS : 0));
        fuzz_seed(&head, 1, out, length);
        head++; /* the payload where nil should be */
        fuzz_seed(&head, 1, out, length);
        head++;
        FUZZ_CHECK(sz_encrypt_seal(fuzz_owner.agreement.public_key, EXTRA, AAD, PAYLOAD, out, sizeof out,
                                   &length) == SZ_OK);
        fuzz_seed(&head, 1, out, length);
        head++;
        FUZZ_CHECK(sz_record_seal(channel, 0x010203, channel_key, AAD, PAYLOAD, out, sizeof out, &length) ==
                   SZ_OK);
        fuzz_seed(&head, 1, out, length);
        head++;
        FUZZ_CHECK(sz_hpke_seal(fuzz_owner.agreement.public_key, EXTRA, AAD, PAYLOAD, out,
                                out + SZ_KEY_SIZE) == SZ_OK);
        fuzz_seed(&head, 1, out, SZ_KEY_SIZE + PAYLOAD.length + SZ_TAG_SIZE);
    }
    return 0;
}

static void check_inside(const void *view, size_t size, struct sz_bytes message)
{
    const uint8_t *const at = view;
    FUZZ_CHECK(at >= message.at && at + size <= message.at + message.length);
}

static void read_sign1(struct sz_bytes message, bool detached)
{
    uint8_t scratch[512];
    struct sz_sign1 read;
    const enum sz_code code =
        detached ? sz_sign1_read_detached(message, PAYLOAD, &read) : sz_sign1_read(message, &read);
    FUZZ_TAKEN(code == SZ_OK);
    if (code != SZ_OK) {
        return;
    }
    check_inside(read.protected_header.at, read.protected_header.length, message);
    check_inside(read.kid, SZ_KID_SIZE, message);
    check_inside(read.signature, SZ_SIGNATURE_SIZE, message);
    if (!detached) {
        check_inside(read.payload.at, read.payload.length, message);
    }
    if (sz_sign1_verify(&read, fuzz_owner.signing.public_key, AAD, scratch, sizeof scratch) == SZ_OK &&
        !fuzz_checks_pass) {
        /* Nobody forges a signature: it is the seed's. */
        FUZZ_CHECK(read.payload.length == PAYLOAD.length &&
                   memcmp(read.payload.at, PAYLOAD.at, PAYLOAD.length) == 0);
    }
}

static void open_encrypt(struct sz_bytes message)
{
    uint8_t out[sizeof nothing] = {0};
    size_t length = 99;
    const enum sz_code code =
        sz_encrypt_open(message, &fuzz_owner.agreement, EXTRA, AAD, out, sizeof out, &length);
    FUZZ_TAKEN(code == SZ_OK || code == SZ_STALE_NONCE); /* good, for another receiver */
    FUZZ_CHECK(code == SZ_OK ? length <= sizeof out
                             : length == 0 && memcmp(out, nothing, sizeof nothing) == 0);
}

static void open_record(struct sz_bytes message)
{
    uint8_t out[sizeof nothing] = {0};
    const size_t first = message.length < SZ_RECORD_PREFIX ? message.length : SZ_RECORD_PREFIX;
    uint8_t *const prefix = fuzz_copy(message.at, first);
    struct sz_record_header header;
    size_t length = 0;
    enum sz_code code = sz_record_read(SZ_BYTES(prefix, first), message.length, &header);
    free(prefix);
    FUZZ_TAKEN(code == SZ_OK);
    if (code != SZ_OK) {
        return;
    }
    FUZZ_CHECK(header.number <= SZ_RECORD_LAST_NUMBER && header.ciphertext_length >= SZ_TAG_SIZE);
    FUZZ_CHECK(header.ciphertext_at + header.ciphertext_length == message.length);
    code = sz_record_open(&header, channel_key, AAD, message.at, out, sizeof out, &length, NULL, NULL);
    FUZZ_CHECK(code == SZ_OK ? length <= sizeof out : memcmp(out, nothing, sizeof nothing) == 0);
}

static void open_hpke(struct sz_bytes message)
{
    uint8_t out[sizeof nothing] = {0};
    enum sz_code code;
    if (message.length < SZ_KEY_SIZE || message.length > SZ_KEY_SIZE + sizeof out) {
        return;
    }
    code = sz_hpke_open(&fuzz_owner.agreement, message.at, EXTRA, AAD,
                        SZ_BYTES(message.at + SZ_KEY_SIZE, message.length - SZ_KEY_SIZE), out);
    FUZZ_CHECK(code == SZ_OK || memcmp(out, nothing, sizeof nothing) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    uint8_t *copy;
    struct sz_bytes message;
    if (length == 0) {
        return 0;
    }
    copy = fuzz_copy(data + 1, length - 1);
    message = SZ_BYTES(copy, length - 1);
    fuzz_checks_pass = (data[0] & CHECKS_PASS) != 0;
    switch (fuzz_form(data[0] & 0x7f, names, FUZZ_COSE_FORMS)) {
    case FUZZ_SIGN1:
        read_sign1(message, false);
        break;
    case FUZZ_DETACHED:
        read_sign1(message, true);
        break;
    case FUZZ_ENCRYPT:
        open_encrypt(message);
        break;
    case FUZZ_HPKE:
        open_hpke(message);
        break;
    default:
        open_record(message);
        break;
    }
    free(copy);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned random)
{
    return fuzz_mutate(data, size, most, random, 1);
}
