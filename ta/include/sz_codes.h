/* Generated from protocol/codes.json by scripts/generate-codes.mjs: change the table, not this file. */
#ifndef SZ_CODES_H
#define SZ_CODES_H

#define SZ_TA_UUID {0x7c3a1f52, 0x5b0e, 0x4c55, {0x9d, 0x2b, 0x3f, 0x6e, 0x0a, 0x8c, 0x41, 0xd7}}
#define SZ_TA_VERSION "0.1.0"
#define SZ_TA_VERSION_NUMBER 256u
/* The one shared buffer: requests in its first part, replies in its second (bytes). */
#define SZ_BUFFER_IN 1572864u
#define SZ_BUFFER_OUT 524288u

enum sz_command {
    SZ_CMD_PING = 1, /* in: empty. out: empty. values: a status, b epoch, c state bits (1 claimed, 2 model active, 4 install under way), d boot counter bits (first 4 bytes of the boot nonce) */
    SZ_CMD_HELLO = 2, /* in: empty. out: hello */
    SZ_CMD_EVIDENCE = 3, /* in: requester's nonce, 8 to 64 bytes. out: evidence */
    SZ_CMD_OWNER = 4, /* in: owner-statement. out: owner-reply (also when refused, if the statement could be read). The statement that took effect last is answered again, and does nothing */
    SZ_CMD_ROSTER = 5, /* in: roster. out: empty. a: 0 also when the same roster is already in force. A roster that lists the device's next keys begins a new boot under them */
    SZ_CMD_OFFER = 6, /* in: offer. out: empty. c, d: sensor kid (high, low) */
    SZ_CMD_RULES_HELLO = 7, /* in: rules-hello. out: label-offer for the current epoch. b: epoch */
    SZ_CMD_FRAME = 8, /* in: record. out: label record. b: epoch. c, d: sensor kid (high, low). Status SEGMENTS_WANTED: out: wanted-segments, b: the first of them; go on with CONTINUE */
    SZ_CMD_RECEIPT = 9, /* in: channel id. out: receipt */
    SZ_CMD_TELEMETRY = 10, /* in: CBOR map of the agent's counters. out: telemetry record. b: epoch */
    SZ_CMD_MODEL_BEGIN = 11, /* in: CBOR [suit-envelope, model-offer / null]; null loads the committed model after a restart. b: first segment wanted. Status MODEL_MEMORY: as MODEL_SEGMENT */
    SZ_CMD_MODEL_SEGMENT = 12, /* in: segment ciphertext; a: its index. b: next segment wanted, which may be one that was sent before, or 0xffffffff when that was all. c: 1 once the model is active. d: bytes that it streams for each frame. Status MODEL_MEMORY: b: bytes needed, c: bytes there are, d: bytes of the arena among those needed */
    SZ_CMD_CONTINUE = 13, /* in: ciphertexts of the first segments of wanted-segments, one after the other; a: index of the first. Replies as FRAME does; every error ends the inference, whose frame can be sent again */
    SZ_CMD_MODEL_STATUS = 14, /* in: empty. out: model-status. Stores what a model on trial has achieved. b: a segment of the active model that can stay in memory from now on (give it with MODEL_SEGMENT), or 0xffffffff. c: 1 while the committed model is on trial */
    SZ_CMD_ZONE_OFFER = 15, /* in: zone-offer. out: empty. c, d: sensor kid (high, low) */
};

enum sz_code {
    SZ_OK = 0,
    SZ_BAD_REQUEST = 100, /* the request does not have the form this command takes */
    SZ_BUFFER_TOO_SMALL = 101, /* the output buffer is too small */
    SZ_BUSY = 102, /* another job is under way in the TA */
    SZ_OUT_OF_MEMORY = 103, /* secure memory is exhausted */
    SZ_NOT_CLAIMED = 104, /* the device has no owner yet */
    SZ_STORAGE_FAILED = 105, /* trusted storage could not be read or written */
    SZ_CRYPTO_FAILED = 106, /* the TEE's crypto API refused an operation */
    SZ_SEGMENTS_WANTED = 107, /* the inference goes on when it gets more segments of the model */
    SZ_MALFORMED = 200, /* not deterministic CBOR of the expected form */
    SZ_TRAILING_BYTES = 201, /* bytes follow the end of the message */
    SZ_DUPLICATE_KEY = 202, /* a map has the same key twice */
    SZ_TRUNCATED = 203, /* the message ends too early */
    SZ_TOO_LONG = 204, /* the message is longer than this receiver accepts */
    SZ_UNKNOWN_ALGORITHM = 205, /* an algorithm outside the profile */
    SZ_BAD_SIGNATURE = 300, /* the signature does not verify */
    SZ_UNKNOWN_SENDER = 301, /* the sender is not in the roster */
    SZ_WRONG_ROLE = 302, /* the sender's role does not allow this */
    SZ_EXPIRED = 303, /* the sender's membership has expired */
    SZ_NOT_OWNER = 304, /* not signed by an owner of this device */
    SZ_ALREADY_CLAIMED = 305, /* the device has an owner already */
    SZ_WRONG_DEVICE = 306, /* meant for another device */
    SZ_STALE_NONCE = 307, /* made for another boot or another nonce */
    SZ_STALE_COUNTER = 308, /* an older or equal counter was used already */
    SZ_STALE_ROSTER = 309, /* an older roster than the one in force */
    SZ_ROSTER_CONFLICT = 310, /* another roster with the same version is in force */
    SZ_STATE_ROLLED_BACK = 311, /* the sender has seen newer state than this device has: its storage was put back */
    SZ_NOT_IN_ROSTER = 312, /* this device is not in the roster */
    SZ_LEASE_ENDED = 313, /* the roster's lease has ended */
    SZ_DECRYPT_FAILED = 314, /* the offer cannot be opened */
    SZ_BAD_KEY = 315, /* not an acceptable public key */
    SZ_LIMIT_REACHED = 316, /* more members, channels or devices than the TA keeps */
    SZ_OWNERS_CONFLICT = 317, /* another set of owner keys has this generation */
    SZ_NOT_IN_ZONE = 318, /* this device is not in that zone */
    SZ_NO_CHANNEL = 400, /* no such channel in this boot */
    SZ_STALE_NUMBER = 401, /* this record number was used already */
    SZ_BAD_TAG = 402, /* the record is not authentic */
    SZ_BAD_FRAME = 403, /* the frame does not have the form that its channel or the model takes */
    SZ_NO_MODEL = 404, /* no model is active */
    SZ_CHANNEL_FULL = 405, /* the channel's or epoch's numbers are used up */
    SZ_INFERENCE_FAILED = 406, /* the model could not be run */
    SZ_NO_INFERENCE = 407, /* no inference of this session waits for segments */
    SZ_MODEL_PROFILE = 500, /* the manifest is outside the SUIT profile */
    SZ_MODEL_SEQUENCE = 501, /* the manifest's sequence number is not above the floor, or too far above it */
    SZ_MODEL_VENDOR = 502, /* made for another vendor or class */
    SZ_MODEL_VERSION = 503, /* the model needs a newer TA */
    SZ_MODEL_MEMORY = 504, /* the model needs more secure memory than there is */
    SZ_MODEL_TARGET = 505, /* packed for another packing target */
    SZ_MODEL_DIGEST = 506, /* a segment does not match its digest */
    SZ_MODEL_GRAPH = 507, /* the graph or its memory plan is not valid */
    SZ_MODEL_GOLDEN = 508, /* the self-test's output differs from the publisher's */
    SZ_MODEL_ORDER = 509, /* not the segment that is wanted next */
    SZ_MODEL_UNKNOWN = 510, /* not the committed model, and no offer for it */
    SZ_MODEL_TRIAL = 511, /* the new model did not survive its trial: the one before it is in force again */
    SZ_MODEL_SUPERSEDED = 512, /* a push with a higher sequence number took its place */
    SZ_MODEL_DISK = 513, /* the package does not fit on the device's disk */
    SZ_TEE_UNREACHABLE = 600, /* the TEE cannot be opened */
    SZ_TEE_DIED = 601, /* the TA panicked or was killed */
    SZ_TEE_TIMEOUT = 602, /* the TEE did not answer in time */
    SZ_CONFIG_INVALID = 603, /* the configuration is not valid */
    SZ_BROKER_UNREACHABLE = 604, /* the broker cannot be reached */
    SZ_KEY_FILE = 700, /* the key file cannot be used */
    SZ_UNTRUSTED_DEVICE = 701, /* the device is not vouched for by the owner's newest roster */
    SZ_LEVEL_TOO_LOW = 702, /* the device's security level is below what was asked for */
    SZ_STALE_LABEL = 703, /* the label is older than allowed */
    SZ_MODEL_IMPORT = 704, /* the model file cannot be imported */
    SZ_PICTURE_INVALID = 705, /* the picture cannot be read */
    SZ_TIMED_OUT = 706, /* no answer in time */
    SZ_EVIDENCE_REJECTED = 707, /* the device's evidence is not what the policy asks for */
    SZ_INVITATION_INVALID = 708, /* the invitation is damaged, used or too old */
    SZ_NAME_TAKEN = 709, /* another member has this name already */
};

#endif
