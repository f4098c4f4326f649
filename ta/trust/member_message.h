/* What members send beside records: signed messages with a counter, which also tell what their sender has
 * seen. */
#ifndef SZ_MEMBER_MESSAGE_H
#define SZ_MEMBER_MESSAGE_H

#include "trust/cose_sign1.h"
#include "trust/roster.h"

/* Reads, verifies and authorises a member's message for this purpose. *again: it is the last one accepted,
 * once more. UNKNOWN_SENDER, BAD_SIGNATURE, what sz_roster_authorise() says, and the form's. */
enum sz_code sz_member_message_open(struct sz_bytes message, const char *purpose, enum sz_role role,
                                    struct sz_sign1 *sign1, const struct sz_member **member,
                                    uint8_t digest[SZ_SHA256_SIZE], bool *again);

/* Reads the optional member `key`: the owner generation of the roster that the sender has seen, ours where it
 * says none. True: it was there. */
bool sz_witness_read_generation(struct sz_cbor_reader *r, int64_t key, struct sz_roster_order *roster);

/* Clients are the witnesses of rollback: STATE_ROLLED_BACK where one has seen a newer roster or model than
 * ours, which proves that ours was put back. */
enum sz_code sz_witness_check(struct sz_roster_order roster, uint64_t model);

#endif
