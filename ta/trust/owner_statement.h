/* What an owner says to a device (CDDL owner-statement), and what the device answers (owner-reply). */
#ifndef SZ_OWNER_STATEMENT_H
#define SZ_OWNER_STATEMENT_H

#include "trust/boot.h"
#include "trust/call.h"
#include "trust/cose_sign1.h"
#include "trust/owners.h"

enum sz_owner_command {
    SZ_OWNER_CLAIM = 1,
    SZ_OWNER_RESET = 2,
    SZ_OWNER_ROLLBACK = 3,
    SZ_OWNER_REBASE = 4,
    SZ_OWNER_ROTATE = 5,
};

struct sz_owner_statement {
    uint8_t digest[SZ_SHA256_SIZE]; /* of the whole message: what an answer answers */
    uint8_t device[SZ_KID_SIZE];
    uint64_t counter;
    uint8_t nonce[SZ_NONCE16_SIZE];
    uint64_t time;
    enum sz_owner_command command;
    uint64_t floor;          /* of a rebase */
    struct sz_owners owners; /* of a claim */
};

/* Reads the form of a message and its payload; nothing is verified. sign1 keeps views into the message. */
enum sz_code sz_owner_statement_read(struct sz_bytes message, struct sz_sign1 *sign1,
                                     struct sz_owner_statement *out);

/* Room that the reply takes, at most. */
enum { SZ_OWNER_REPLY_MAX = 288 + SZ_SIGN1_OVERHEAD };

/* Answers the statement, signed with the device's key. The digest ties the answer to that one message: what
 * is said of a statement that somebody else made is of no use against the owner's. */
enum sz_code sz_owner_reply_write(struct sz_call *call, const struct sz_owner_statement *statement,
                                  enum sz_code status);

#endif
