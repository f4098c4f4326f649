#include "trust/member_message.h"
#include "trust/members_seen.h"
#include "trust/signed.h"
#include "trust/state.h"

bool sz_witness_read_generation(struct sz_cbor_reader *r, int64_t key, struct sz_roster_order *roster)
{
    const bool said = sz_cbor_optional_key(r, key);
    roster->generation = said ? sz_cbor_uint(r) : sz_state()->owners.generation;
    if (said && roster->generation == 0) {
        sz_cbor_fail(r, SZ_MALFORMED);
    }
    return said;
}

enum sz_code sz_witness_check(struct sz_roster_order roster, uint64_t model)
{
    return sz_roster_older(sz_roster_in_force(), roster) || model > sz_state()->model_floor
               ? SZ_STATE_ROLLED_BACK
               : SZ_OK;
}

enum sz_code sz_member_message_open(struct sz_bytes message, const char *purpose, enum sz_role role,
                                    struct sz_sign1 *sign1, const struct sz_member **member,
                                    uint8_t digest[SZ_SHA256_SIZE], bool *again)
{
    enum sz_code code = sz_sign1_read(message, sign1);
    *again = false;
    if (code != SZ_OK) {
        return code;
    }
    *member = sz_roster_find(sign1->kid);
    if (*member == NULL) {
        return SZ_UNKNOWN_SENDER;
    }
    code = sz_signed_verify(sign1, (*member)->signing, purpose);
    if (code == SZ_OK) {
        code = sz_roster_authorise(sign1->kid, role, member);
    }
    if (code == SZ_OK) {
        code = sz_sha256(message, digest);
        *again = code == SZ_OK && sz_seen_again(sign1->kid, digest);
    }
    return code;
}
