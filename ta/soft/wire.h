/* Messages between the client library, the supervisor and the TA's process. All three are built together and
 * run on one machine: structures in host order, no versions. Sizes are fixed, so a message of another size is
 * refused.
 *
 *   client ──(tee.sock, SOCK_SEQPACKET)──▶ supervisor ──SCM_RIGHTS──▶ TA process: from then on client ◀──▶ TA
 * directly TA process ◀──(storage, SOCK_SEQPACKET)──▶ supervisor
 *
 * One connection is one session. */
#ifndef SZ_WIRE_H
#define SZ_WIRE_H

#include <stdint.h>

#define SZ_SOCKET_NAME "tee.sock"

/* Client to TA */
enum sz_wire_kind {
    SZ_WIRE_OPEN = 1,    /* answered */
    SZ_WIRE_INVOKE = 2,  /* answered */
    SZ_WIRE_CLOSE = 3,   /* answered */
    SZ_WIRE_SHARE = 4,   /* answered; one descriptor attached: a sealed memfd */
    SZ_WIRE_UNSHARE = 5, /* not answered */
};

struct sz_wire_request {
    uint32_t kind;
    uint32_t command; /* INVOKE */
    uint32_t types;   /* OPEN, INVOKE: TEE_PARAM_TYPES of the internal API */
    uint32_t memory;  /* SHARE, UNSHARE: identifier chosen by the client */
    uint8_t uuid[16]; /* OPEN */
    struct {
        uint64_t a; /* value a, or identifier of the memory */
        uint64_t b; /* value b, or offset */
        uint64_t c; /* size */
    } params[4];
};

struct sz_wire_reply {
    uint32_t result;
    uint32_t origin;
    struct {
        uint32_t a, b;
        uint64_t size;
    } params[4];
};

/* TA to supervisor, once, when it is ready to take connections or knows that it never will be */
struct sz_wire_ready {
    uint32_t result;
};

/* TA to supervisor: storage. Contents travel as memfds attached to the packet (to WRITE requests, to replies
 * to READ), so that a request is sent whole or not at all. Replies repeat the request's number: the TA may
 * have stopped waiting for an earlier one. */
enum sz_wire_storage {
    SZ_WIRE_READ = 1,
    SZ_WIRE_WRITE = 2,
    SZ_WIRE_REMOVE = 3,
};

struct sz_wire_storage_request {
    uint32_t kind;
    uint32_t number;
    uint32_t size;
    uint8_t name[32];
};

struct sz_wire_storage_reply {
    uint32_t result;
    uint32_t number;
    uint32_t size;
};

/* Descriptors that the TA's process starts with */
#define SZ_FD_CONTROL 3
#define SZ_FD_STORAGE 4
#define SZ_FD_HUK 5

#endif
