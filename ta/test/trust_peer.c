/* The other end for test/vectors-c.test.ts: each line on standard input asks for one operation of ta/trust,
 * each line on standard output answers "ok" and its results, or "error" and the code. Byte strings are
 * hexadecimal, "-" is the empty one. */
#include "trust/cbor_read.h"
#include "trust/cose_encrypt.h"
#include "trust/cose_record.h"
#include "trust/cose_sign1.h"
#include "trust_test.h"

#include <inttypes.h>
#include <string.h>

enum { ROOM = 65536 };

static uint8_t out[ROOM], scratch[ROOM];

static void print_bytes(struct sz_bytes bytes)
{
    putchar(' ');
    if (bytes.length == 0) {
        putchar('-');
    }
    for (size_t i = 0; i < bytes.length; i++) {
        printf("%02x", bytes.at[i]);
    }
}

static void answer(enum sz_code code, const struct sz_bytes *results, size_t count)
{
    if (code != SZ_OK) {
        printf("error %d\n", (int)code);
        return;
    }
    printf("ok");
    for (size_t i = 0; i < count; i++) {
        print_bytes(results[i]);
    }
    putchar('\n');
}

static void copy(void *to, struct sz_bytes from, size_t length)
{
    CHECK(from.length == length);
    memcpy(to, from.at, length);
}

/* check message */
static void check(const struct trust_line *line)
{
    answer(sz_cbor_check(trust_hex(line, 1)), NULL, 0);
}

/* kid curve public */
static void kid(const struct trust_line *line)
{
    uint8_t name[SZ_KID_SIZE];
    const enum sz_curve curve = strcmp(line->words[1], "Ed25519") == 0 ? SZ_CURVE_ED25519 : SZ_CURVE_X25519;
    const enum sz_code code = sz_kid(curve, trust_hex(line, 2).at, name);
    answer(code, &SZ_BYTES(name, sizeof name), 1);
}

/* sign1-sign seed public kid aad payload */
static void sign1_sign(const struct trust_line *line)
{
    struct sz_signing_key key;
    size_t length;
    copy(key.seed, trust_hex(line, 1), sizeof key.seed);
    copy(key.public_key, trust_hex(line, 2), sizeof key.public_key);
    copy(key.kid, trust_hex(line, 3), sizeof key.kid);
    const enum sz_code code = sz_sign1_sign(&key, trust_hex(line, 5), trust_hex(line, 4), out, ROOM, &length);
    answer(code, &SZ_BYTES(out, length), 1);
}

/* sign1-open public aad message: kid, payload */
static void sign1_open(const struct trust_line *line)
{
    struct sz_sign1 sign1 = {0};
    enum sz_code code = sz_sign1_read(trust_hex(line, 3), &sign1);
    if (code == SZ_OK) {
        code = sz_sign1_verify(&sign1, trust_hex(line, 1).at, trust_hex(line, 2), scratch, ROOM);
    }
    answer(code, (const struct sz_bytes[]){SZ_BYTES(sign1.kid, SZ_KID_SIZE), sign1.payload}, 2);
}

/* record-seal channel number key aad plaintext */
static void record_seal(const struct trust_line *line)
{
    size_t length;
    const enum sz_code code =
        sz_record_seal(trust_hex(line, 1).at, strtoull(line->words[2], NULL, 10), trust_hex(line, 3).at,
                       trust_hex(line, 4), trust_hex(line, 5), out, ROOM, &length);
    answer(code, &SZ_BYTES(out, length), 1);
}

/* record-open key aad message: channel, number as 5 bytes, plaintext */
static void record_open(const struct trust_line *line)
{
    struct sz_record_header header;
    const struct sz_bytes message = trust_hex(line, 3);
    const size_t prefix = message.length < SZ_RECORD_PREFIX ? message.length : SZ_RECORD_PREFIX;
    uint8_t nonce[SZ_NONCE_SIZE] = {0};
    size_t length = 0;
    enum sz_code code = sz_record_read(SZ_BYTES(message.at, prefix), message.length, &header);
    if (code == SZ_OK) {
        code = sz_record_open(&header, trust_hex(line, 1).at, trust_hex(line, 2), message.at, out, ROOM,
                              &length, NULL, NULL);
        sz_record_nonce(header.number, nonce);
    }
    answer(code,
           (const struct sz_bytes[]){SZ_BYTES(header.channel, SZ_CHANNEL_ID_SIZE), SZ_BYTES(nonce + 7, 5),
                                     SZ_BYTES(out, length)},
           3);
}

/* encrypt-seal recipient extra aad plaintext */
static void encrypt_seal(const struct trust_line *line)
{
    size_t length;
    const enum sz_code code = sz_encrypt_seal(trust_hex(line, 1).at, trust_hex(line, 2), trust_hex(line, 3),
                                              trust_hex(line, 4), out, ROOM, &length);
    answer(code, &SZ_BYTES(out, length), 1);
}

/* encrypt-open private public extra aad message: plaintext */
static void encrypt_open(const struct trust_line *line)
{
    struct sz_agreement_key own;
    size_t length;
    copy(own.private_key, trust_hex(line, 1), sizeof own.private_key);
    copy(own.public_key, trust_hex(line, 2), sizeof own.public_key);
    CHECK(sz_kid(SZ_CURVE_X25519, own.public_key, own.kid) == SZ_OK);
    const enum sz_code code =
        sz_encrypt_open(trust_hex(line, 5), &own, trust_hex(line, 3), trust_hex(line, 4), out, ROOM, &length);
    answer(code, &SZ_BYTES(out, length), 1);
}

static const struct {
    const char *name;
    void (*run)(const struct trust_line *);
} operations[] = {
    {"check", check},
    {"kid", kid},
    {"sign1-sign", sign1_sign},
    {"sign1-open", sign1_open},
    {"record-seal", record_seal},
    {"record-open", record_open},
    {"encrypt-seal", encrypt_seal},
    {"encrypt-open", encrypt_open},
};

int main(void)
{
    struct trust_line line;
    CHECK(sz_crypto_init() == SZ_OK);
    while (trust_next_line(&line)) {
        size_t i = 0;
        while (strcmp(operations[i].name, line.words[0]) != 0) {
            i++;
            CHECK(i < sizeof operations / sizeof operations[0]);
        }
        operations[i].run(&line);
    }
    sz_crypto_release();
    return 0;
}
