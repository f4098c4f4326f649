/* One command as its handler sees it. */
#ifndef SZ_CALL_H
#define SZ_CALL_H

#include "sz_codes.h"
#include "trust/bytes.h"

enum {
    SZ_REPLY_MAX = 24 * 1024,
};

struct sz_call {
    uintptr_t session;              /* which client this is, 1 .. */
    struct sz_bytes message;        /* the request, copied; length 0 for commands that stream */
    const volatile uint8_t *shared; /* the request as Linux sees and may change it: copy, then look */
    size_t shared_length;
    uint8_t *reply;        /* secure memory; copied out when the handler is done */
    size_t reply_capacity; /* what the caller's buffer takes, at most SZ_REPLY_MAX */
    size_t reply_length;   /* set by the handler */
    uint32_t a, b, c, d;   /* a: in, and the status out (set from the handler's result) */
};

typedef enum sz_code sz_handler(struct sz_call *call);

sz_handler sz_on_ping, sz_on_hello, sz_on_evidence, sz_on_owner, sz_on_roster, sz_on_offer, sz_on_zone_offer,
    sz_on_rules_hello, sz_on_frame, sz_on_receipt, sz_on_telemetry, sz_on_model_begin, sz_on_model_segment,
    sz_on_continue, sz_on_model_status;

/* The session ends: a job that it has begun is wiped. */
void sz_session_ended(uintptr_t session);

/* c, d: a kid, most significant half first. */
void sz_call_return_kid(struct sz_call *call, const uint8_t kid[8]);

#endif
