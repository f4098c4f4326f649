/* The parties of a small home, and the messages they send to the device. */
#include "fuzz.h"
#include "soft_tee.h"
#include "trust/boot.h"
#include "trust/cose_encrypt.h"
#include "trust/record_key.h"
#include "trust/roster.h"
#include "trust/signed.h"
#include "trust/state.h"

#include <string.h>

struct fuzz_party fuzz_owner, fuzz_sensor, fuzz_rules, fuzz_publisher;

/* One channel, and its successor: the last byte is the offer's counter. */
static const uint8_t zone_id[] = "zone-one";
static uint8_t channel_id[SZ_CHANNEL_ID_SIZE] = {'c', 'h', 'a', 'n', 'n', 'e', 'l', 1};
static const uint8_t channel_secret[SZ_KEY_SIZE] = {'s', 'e', 'c', 'r', 'e', 't'};

static void make(struct fuzz_party *party)
{
    FUZZ_CHECK(sz_signing_key_generate(&party->signing) == SZ_OK);
    FUZZ_CHECK(sz_agreement_key_generate(&party->agreement) == SZ_OK);
}

void fuzz_parties_make(void)
{
    make(&fuzz_owner);
    make(&fuzz_sensor);
    make(&fuzz_rules);
    make(&fuzz_publisher);
}

static void put_bytes(struct sz_cbor_writer *w, int64_t key, const void *bytes, size_t length)
{
    sz_cbor_put_int(w, key);
    sz_cbor_put_bstr(w, bytes, length);
}

static void put_number(struct sz_cbor_writer *w, int64_t key, uint64_t value)
{
    sz_cbor_put_int(w, key);
    sz_cbor_put_uint(w, value);
}

static size_t sign(const struct fuzz_party *party, const struct sz_cbor_writer *payload, const char *purpose,
                   uint8_t *out)
{
    uint8_t aad[64];
    size_t length = 0;
    FUZZ_CHECK(sz_cbor_written(payload) > 0);
    FUZZ_CHECK(sz_sign1_sign(&party->signing, SZ_BYTES(payload->at, payload->length),
                             sz_purpose_aad(purpose, aad), out, FUZZ_MESSAGE, &length) == SZ_OK);
    return length;
}

static size_t owner_statement(uint8_t *out, bool claim)
{
    uint8_t payload[256];
    struct sz_cbor_writer w = sz_cbor_writer(payload, sizeof payload);
    sz_cbor_put_map(&w, 5);
    put_bytes(&w, 1, sz_state()->signing.kid, SZ_KID_SIZE);
    put_number(&w, 2, sz_state()->owner_counter + 1);
    put_bytes(&w, 3, claim ? sz_boot()->claim_nonce : sz_boot()->nonce, SZ_NONCE16_SIZE);
    put_number(&w, 4, 1800000000);
    sz_cbor_put_int(&w, 5);
    sz_cbor_put_array(&w, claim ? 3 : 1);
    sz_cbor_put_uint(&w, claim ? 1 : 2);
    if (claim) {
        sz_cbor_put_array(&w, 1);
        sz_cbor_put_bstr(&w, fuzz_owner.signing.public_key, SZ_KEY_SIZE);
        sz_cbor_put_uint(&w, 1);
    }
    return sign(&fuzz_owner, &w, "owner", out);
}

size_t fuzz_claim(uint8_t *out)
{
    return owner_statement(out, true);
}

size_t fuzz_reset(uint8_t *out)
{
    return owner_statement(out, false);
}

static void put_keys(struct sz_cbor_writer *w, const uint8_t *signing, const uint8_t *agreement,
                     uint64_t third)
{
    put_bytes(w, 1, signing, SZ_KEY_SIZE);
    put_bytes(w, 2, agreement, SZ_KEY_SIZE);
    put_number(w, 3, third);
    sz_cbor_put_int(w, 4);
    sz_cbor_put_text(w, "n");
}

size_t fuzz_roster(uint8_t *out, uint64_t version)
{
    const struct fuzz_party *const members[] = {&fuzz_sensor, &fuzz_rules, &fuzz_publisher};
    const struct sz_state *const device = sz_state();
    uint8_t payload[1024];
    struct sz_cbor_writer w = sz_cbor_writer(payload, sizeof payload);
    sz_cbor_put_map(&w, 6);
    put_number(&w, 1, version);
    put_number(&w, 2, 1800000000);
    sz_cbor_put_int(&w, 3);
    sz_cbor_put_array(&w, 3);
    for (size_t i = 0; i < 3; i++) {
        sz_cbor_put_map(&w, i == 0 ? 5 : 4);
        put_keys(&w, members[i]->signing.public_key, members[i]->agreement.public_key, SZ_ROLE_SENSOR + i);
        if (i == 0) {
            put_number(&w, 5, UINT64_MAX); /* whatever date an earlier input has taught the TA */
        }
    }
    sz_cbor_put_int(&w, 4);
    sz_cbor_put_array(&w, 1);
    sz_cbor_put_map(&w, 4);
    put_keys(&w, device->signing.public_key, device->agreement.public_key, 0);
    sz_cbor_put_int(&w, 5);
    sz_cbor_put_array(&w, 1);
    sz_cbor_put_map(&w, 3);
    put_bytes(&w, 1, zone_id, SZ_KID_SIZE);
    sz_cbor_put_int(&w, 2);
    sz_cbor_put_array(&w, 1);
    sz_cbor_put_bstr(&w, device->signing.kid, SZ_KID_SIZE);
    sz_cbor_put_int(&w, 3);
    sz_cbor_put_text(&w, "porch");
    put_number(&w, 6, 1000000);
    return sign(&fuzz_owner, &w, "roster", out);
}

/* The model's input: int8, 6 x 6 x 3. */
static void put_dims(struct sz_cbor_writer *w)
{
    sz_cbor_put_array(w, 3);
    sz_cbor_put_uint(w, 6);
    sz_cbor_put_uint(w, 6);
    sz_cbor_put_uint(w, 3);
}

/* CDDL offer-plaintext, sealed for this audience; its length. */
static size_t seal_offer(uint8_t *out, size_t capacity, const char *purpose, const uint8_t *audience,
                         uint64_t counter)
{
    uint8_t plaintext[256], aad[64], context[128];
    struct sz_cbor_writer w = sz_cbor_writer(plaintext, sizeof plaintext);
    size_t length = 0;
    channel_id[SZ_CHANNEL_ID_SIZE - 1] = (uint8_t)counter;
    sz_cbor_put_map(&w, 7);
    put_bytes(&w, 1, channel_id, sizeof channel_id);
    channel_id[SZ_CHANNEL_ID_SIZE - 1] = 1; /* frames go through the first */
    put_bytes(&w, 2, channel_secret, sizeof channel_secret);
    sz_cbor_put_int(&w, 3);
    sz_cbor_put_array(&w, 2);
    sz_cbor_put_uint(&w, 2);
    put_dims(&w);
    put_number(&w, 4, counter);
    put_number(&w, 5, sz_roster_version());
    put_number(&w, 6, sz_state()->model_floor);
    put_number(&w, 7, 1800000000);
    FUZZ_CHECK(sz_encrypt_seal(sz_boot()->prekey.public_key,
                               sz_hpke_context(purpose, fuzz_sensor.signing.kid, audience,
                                               SZ_BYTES(sz_boot()->nonce, SZ_NONCE16_SIZE), context),
                               sz_purpose_aad(purpose, aad), SZ_BYTES(plaintext, sz_cbor_written(&w)), out,
                               capacity, &length) == SZ_OK);
    return length;
}

size_t fuzz_offer(uint8_t *out, uint64_t counter)
{
    uint8_t sealed[512];
    struct sz_cbor_writer message = sz_cbor_writer(sealed, sizeof sealed);
    message.length = seal_offer(sealed, sizeof sealed, "offer", sz_state()->signing.kid, counter);
    return sign(&fuzz_sensor, &message, "offer", out);
}

size_t fuzz_zone_offer(uint8_t *out, uint64_t counter)
{
    uint8_t sealed[512], payload[640];
    const size_t length = seal_offer(sealed, sizeof sealed, "zone-offer", zone_id, counter);
    struct sz_cbor_writer w = sz_cbor_writer(payload, sizeof payload);
    sz_cbor_put_map(&w, 2);
    put_bytes(&w, 1, zone_id, SZ_KID_SIZE);
    put_bytes(&w, 2, sealed, length);
    return sign(&fuzz_sensor, &w, "zone-offer", out);
}

size_t fuzz_rules_hello(uint8_t *out, uint64_t counter)
{
    uint8_t payload[256];
    struct sz_cbor_writer w = sz_cbor_writer(payload, sizeof payload);
    sz_cbor_put_map(&w, 6);
    put_bytes(&w, 1, sz_state()->signing.kid, SZ_KID_SIZE);
    put_bytes(&w, 2, "sixteen bytes...", SZ_NONCE16_SIZE);
    put_bytes(&w, 3, fuzz_rules.agreement.public_key, SZ_KEY_SIZE);
    put_number(&w, 4, counter);
    put_number(&w, 5, sz_roster_version());
    put_number(&w, 6, sz_state()->model_floor);
    return sign(&fuzz_rules, &w, "rules-hello", out);
}

size_t fuzz_frame(uint8_t *out, uint64_t number)
{
    static const uint8_t pixels[6 * 6 * 3] = {1, 2, 3};
    const uint8_t *const device = sz_state()->signing.kid, *const sensor = fuzz_sensor.signing.kid;
    uint8_t plaintext[256], key[SZ_AES_KEY_SIZE], aad[SZ_RECORD_EXTERNAL_AAD];
    struct sz_cbor_writer w = sz_cbor_writer(plaintext, sizeof plaintext);
    size_t length = 0;
    sz_cbor_put_map(&w, 5);
    put_bytes(&w, 1, "frame id", 8);
    put_number(&w, 2, 1800000000000);
    put_number(&w, 3, 2);
    sz_cbor_put_int(&w, 4);
    put_dims(&w);
    put_bytes(&w, 5, pixels, sizeof pixels);
    FUZZ_CHECK(sz_record_key(channel_secret, SZ_PURPOSE_FRAME, device, sensor, 0, key) == SZ_OK);
    FUZZ_CHECK(sz_record_seal(channel_id, number, key,
                              sz_record_external_aad(SZ_PURPOSE_FRAME, device, sensor, aad),
                              SZ_BYTES(plaintext, sz_cbor_written(&w)), out, FUZZ_MESSAGE, &length) == SZ_OK);
    return length;
}
