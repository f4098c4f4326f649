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

static const uint8_t zone_id[] = "zone-one";

/* One channel, and its successor: the last byte is the offer's counter. */
static uint8_t channel_id[SZ_CHANNEL_ID_SIZE] = {'c', 'h', 'a', 'n', 'n', 'e', 'l', 1};
const uint8_t fuzz_pixels[FUZZ_PIXELS] = {1, 2, 3, 201, 77, 5, 9, 14};
const uint8_t fuzz_channel_secret[SZ_KEY_SIZE] = {'s', 'e', 'c', 'r', 'e', 't'};

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

size_t fuzz_signed(uint8_t *out, const struct fuzz_party *party, const char *purpose, const uint8_t *payload,
                   size_t length)
{
    uint8_t aad[64];
    size_t size = 0;
    FUZZ_CHECK(sz_sign1_sign(&party->signing, SZ_BYTES(payload, length), sz_purpose_aad(purpose, aad), out,
                             FUZZ_MESSAGE, &size) == SZ_OK);
    return size;
}

static size_t sign(const struct fuzz_party *party, const struct sz_cbor_writer *payload, const char *purpose,
                   uint8_t *out)
{
    FUZZ_CHECK(sz_cbor_written(payload) > 0);
    return fuzz_signed(out, party, purpose, payload->at, payload->length);
}

/* claim = [1, keys, generation], reset = [2], rollback = [3], rebase = [4, floor], rotate = [5] */
enum { CLAIM = 1, RESET, ROLLBACK, REBASE, ROTATE };

static size_t owner_statement(uint8_t *out, uint64_t command)
{
    const bool claim = command == CLAIM;
    uint8_t payload[256];
    struct sz_cbor_writer w = sz_cbor_writer(payload, sizeof payload);
    sz_cbor_put_map(&w, 5);
    put_bytes(&w, 1, sz_state()->signing.kid, SZ_KID_SIZE);
    put_number(&w, 2, sz_state()->owner_counter + 1);
    put_bytes(&w, 3, claim ? sz_boot()->claim_nonce : sz_boot()->nonce, SZ_NONCE16_SIZE);
    put_number(&w, 4, 1800000000);
    sz_cbor_put_int(&w, 5);
    sz_cbor_put_array(&w, claim ? 3 : command == REBASE ? 2 : 1);
    sz_cbor_put_uint(&w, command);
    if (command == REBASE) {
        sz_cbor_put_uint(&w, sz_state()->model_floor + 10);
    }
    if (claim) {
        sz_cbor_put_array(&w, 1);
        sz_cbor_put_bstr(&w, fuzz_owner.signing.public_key, SZ_KEY_SIZE);
        sz_cbor_put_uint(&w, 1);
    }
    return sign(&fuzz_owner, &w, "owner", out);
}

size_t fuzz_claim(uint8_t *out)
{
    return owner_statement(out, CLAIM);
}

size_t fuzz_reset(uint8_t *out)
{
    return owner_statement(out, RESET);
}

size_t fuzz_rollback(uint8_t *out)
{
    return owner_statement(out, ROLLBACK);
}

size_t fuzz_rebase(uint8_t *out)
{
    return owner_statement(out, REBASE);
}

size_t fuzz_rotate(uint8_t *out)
{
    return owner_statement(out, ROTATE);
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

/* CDDL succession, of one link */
static void put_succession(struct sz_cbor_writer *w)
{
    uint8_t payload[128], link[FUZZ_MESSAGE];
    struct sz_cbor_writer owners = sz_cbor_writer(payload, sizeof payload);
    sz_cbor_put_map(&owners, 2);
    put_number(&owners, 1, sz_state()->owners.generation + 1);
    sz_cbor_put_int(&owners, 2);
    sz_cbor_put_array(&owners, 2);
    sz_cbor_put_bstr(&owners, fuzz_owner.signing.public_key, SZ_KEY_SIZE);
    sz_cbor_put_bstr(&owners, fuzz_rules.signing.public_key, SZ_KEY_SIZE);
    sz_cbor_put_int(w, 7);
    sz_cbor_put_array(w, 1);
    sz_cbor_put_bstr(w, link, sign(&fuzz_owner, &owners, "owners", link));
}

static size_t roster(uint8_t *out, uint64_t version, bool succession)
{
    const struct fuzz_party *const members[] = {&fuzz_sensor, &fuzz_rules, &fuzz_publisher};
    const struct sz_state *const device = sz_state();
    uint8_t payload[1024];
    struct sz_cbor_writer w = sz_cbor_writer(payload, sizeof payload);
    sz_cbor_put_map(&w, succession ? 7 : 6);
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
    sz_cbor_put_array(&w, device->has_next ? 2 : 1);
    sz_cbor_put_map(&w, 4);
    put_keys(&w, device->signing.public_key, device->agreement.public_key, 0);
    if (device->has_next) {
        sz_cbor_put_map(&w, 4);
        put_keys(&w, device->next_signing.public_key, device->next_agreement.public_key, 0);
    }
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
    if (succession) {
        put_succession(&w);
    }
    return sign(&fuzz_owner, &w, "roster", out);
}

size_t fuzz_roster(uint8_t *out, uint64_t version)
{
    return roster(out, version, false);
}

size_t fuzz_succession(uint8_t *out, uint64_t version)
{
    return roster(out, version, true);
}

/* The model's input: int8, 6 x 6 x 3. */
static void put_dims(struct sz_cbor_writer *w)
{
    sz_cbor_put_array(w, 3);
    sz_cbor_put_uint(w, 6);
    sz_cbor_put_uint(w, 6);
    sz_cbor_put_uint(w, 3);
}

/* An offer's plaintext, sealed for this audience; its length. */
static size_t seal_offer(uint8_t *out, const char *purpose, const uint8_t *audience, const uint8_t *plaintext,
                         size_t length)
{
    uint8_t aad[64], context[128];
    size_t size = 0;
    FUZZ_CHECK(sz_encrypt_seal(sz_boot()->prekey.public_key,
                               sz_hpke_context(purpose, fuzz_sensor.signing.kid, audience,
                                               SZ_BYTES(sz_boot()->nonce, SZ_NONCE16_SIZE), context),
                               sz_purpose_aad(purpose, aad), SZ_BYTES(plaintext, length), out, FUZZ_MESSAGE,
                               &size) == SZ_OK);
    return size;
}

size_t fuzz_sealed_offer(uint8_t *out, const uint8_t *plaintext, size_t length)
{
    static uint8_t sealed[FUZZ_MESSAGE];
    const size_t size = seal_offer(sealed, "offer", sz_state()->signing.kid, plaintext, length);
    return fuzz_signed(out, &fuzz_sensor, "offer", sealed, size);
}

size_t fuzz_offer_plaintext(uint8_t *out, uint64_t counter)
{
    struct sz_cbor_writer w = sz_cbor_writer(out, FUZZ_PAYLOAD);
    channel_id[SZ_CHANNEL_ID_SIZE - 1] = (uint8_t)counter;
    sz_cbor_put_map(&w, 7);
    put_bytes(&w, 1, channel_id, sizeof channel_id);
    channel_id[SZ_CHANNEL_ID_SIZE - 1] = 1; /* frames go through the first */
    put_bytes(&w, 2, fuzz_channel_secret, SZ_KEY_SIZE);
    sz_cbor_put_int(&w, 3);
    sz_cbor_put_array(&w, 2);
    sz_cbor_put_uint(&w, 2);
    put_dims(&w);
    put_number(&w, 4, counter);
    put_number(&w, 5, sz_roster_version());
    put_number(&w, 6, sz_state()->model_floor);
    put_number(&w, 7, 1800000000);
    return sz_cbor_written(&w);
}

size_t fuzz_offer(uint8_t *out, uint64_t counter)
{
    uint8_t plaintext[FUZZ_PAYLOAD];
    return fuzz_sealed_offer(out, plaintext, fuzz_offer_plaintext(plaintext, counter));
}

/* CDDL zone-offer, its payload and the whole */
size_t fuzz_zone_payload(uint8_t *out, uint64_t counter)
{
    static uint8_t plaintext[FUZZ_PAYLOAD], sealed[FUZZ_MESSAGE];
    const size_t length =
        seal_offer(sealed, "zone-offer", zone_id, plaintext, fuzz_offer_plaintext(plaintext, counter));
    struct sz_cbor_writer w = sz_cbor_writer(out, FUZZ_PAYLOAD);
    sz_cbor_put_map(&w, 2);
    put_bytes(&w, 1, zone_id, SZ_KID_SIZE);
    put_bytes(&w, 2, sealed, length);
    return sz_cbor_written(&w);
}

size_t fuzz_zone_offer(uint8_t *out, uint64_t counter)
{
    uint8_t payload[FUZZ_PAYLOAD];
    return fuzz_signed(out, &fuzz_sensor, "zone-offer", payload, fuzz_zone_payload(payload, counter));
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

size_t fuzz_frame_record(uint8_t *out, uint64_t number, const uint8_t *plaintext, size_t length)
{
    const uint8_t *const device = sz_state()->signing.kid, *const sensor = fuzz_sensor.signing.kid;
    uint8_t key[SZ_AES_KEY_SIZE], aad[SZ_RECORD_EXTERNAL_AAD];
    size_t size = 0;
    FUZZ_CHECK(sz_record_key(fuzz_channel_secret, SZ_PURPOSE_FRAME, device, sensor, 0, key) == SZ_OK);
    FUZZ_CHECK(sz_record_seal(channel_id, number, key,
                              sz_record_external_aad(SZ_PURPOSE_FRAME, device, sensor, aad),
                              SZ_BYTES(plaintext, length), out, FUZZ_MESSAGE, &size) == SZ_OK);
    return size;
}

size_t fuzz_frame_plaintext(uint8_t *out)
{
    struct sz_cbor_writer w = sz_cbor_writer(out, FUZZ_PAYLOAD);
    sz_cbor_put_map(&w, 5);
    put_bytes(&w, 1, "frame id", 8);
    put_number(&w, 2, 1800000000000);
    put_number(&w, 3, 2);
    sz_cbor_put_int(&w, 4);
    put_dims(&w);
    put_bytes(&w, 5, fuzz_pixels, sizeof fuzz_pixels);
    return sz_cbor_written(&w);
}

size_t fuzz_frame(uint8_t *out, uint64_t number)
{
    uint8_t plaintext[FUZZ_PAYLOAD];
    return fuzz_frame_record(out, number, plaintext, fuzz_frame_plaintext(plaintext));
}
