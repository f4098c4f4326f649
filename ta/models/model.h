/* The one model that a device runs: from signed manifest and encrypted container to results.
 *
 * ta/trust calls these functions; ta/models knows nothing of channels, rosters or labels, and asks for what
 * it needs of the trust state through the arguments. One thread; nothing here is re-entrant (GlobalPlatform
 * TAs have one thread).
 */
#ifndef SZ_MODEL_H
#define SZ_MODEL_H

#include "sz_codes.h"
#include "trust/bytes.h"
#include "trust/cbor_write.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SZ_MODEL_MAX_RANK = 4 };

/* What a frame must look like (CDDL input-shape). */
struct sz_input_shape {
    uint32_t format; /* 1 u8, 2 i8, 3 f32 */
    uint32_t rank;
    uint32_t dims[SZ_MODEL_MAX_RANK];
};

struct sz_cbor_reader;

/* Reads an input-shape item; trouble sticks to the reader. */
void sz_input_shape_read(struct sz_cbor_reader *reader, struct sz_input_shape *out);
bool sz_input_shape_equal(const struct sz_input_shape *a, const struct sz_input_shape *b);

/* Bytes of one frame of this shape: 1 .. SZ_BUFFER_IN; 0 where it is more. */
size_t sz_input_shape_bytes(const struct sz_input_shape *shape);

/* What trusted storage keeps of the committed model (the pointer of protocol.md, "The model push"). */
struct sz_model_commitment {
    uint64_t sequence; /* 0 = no model committed */
    uint8_t manifest_digest[32];
    uint8_t content_key[16];
};

/* The manifest's signed facts, after sz_manifest_read() matched the fixed SUIT profile. */
struct sz_manifest {
    uint64_t sequence;
    uint8_t digest[32];        /* of the manifest, what the suit-digest says and what was computed */
    uint8_t signer[8];         /* kid */
    uint8_t header_digest[32]; /* SHA-256 of the container header's ciphertext */
    uint64_t header_size;
    uint64_t memory;
    uint64_t ta_version;
    bool vendor_ok, class_ok, target_ok;
};

/* The packing target that models for this device should have; "ref" runs too. */
const char *sz_model_target(void);

/* Reads an envelope and checks form and manifest digest, not the signature. Nothing is kept that points into
 * envelope. */
enum sz_code sz_manifest_read(const uint8_t *envelope, size_t length, struct sz_manifest *out);

/* Verifies the envelope's COSE_Sign1 with the publisher's Ed25519 key. */
enum sz_code sz_manifest_verify(const uint8_t *envelope, size_t length, const uint8_t key[32]);

/* Starts loading: conditions (vendor, class, TA version, target, memory) are checked here; the sequence floor
 * and the signature are the caller's. content_key is copied. Any earlier load under way is wiped; the running
 * model is not touched; it gives up memory to an install step by step, and goes where that is not enough: the
 * committed model is then to be loaded again should the install fail. install: after the golden test the
 * caller must commit before sz_model_activate().  */
enum sz_code sz_model_load_begin(const struct sz_manifest *manifest, const uint8_t content_key[16],
                                 bool install);

/* Takes the ciphertext of segment `index` from shared memory: it is copied once, in pieces, hashed and
 * decrypted into secure memory; nothing is used before digest and tag are right. Any error but MODEL_ORDER
 * ends the load and wipes it. *next: the segment wanted next, which may have been there before (the golden
 * test of a model that does not fit streams it; the header where the running model had to go first); when the
 * golden test passed, *next = UINT32_MAX and *loaded is true. Without a load under way: a segment that
 * sz_model_activate() wanted. */
enum sz_code sz_model_load_segment(uint32_t index, const volatile uint8_t *shared, size_t length,
                                   uint32_t *next, bool *loaded);

bool sz_model_loading(void);
void sz_model_load_abort(void);

/* What the caller commits to trusted storage for the model that has just been loaded. */
void sz_model_loaded_commitment(struct sz_model_commitment *out);
bool sz_model_loaded_is_install(void);

/* The loaded model becomes the running one; the former one is wiped and freed. Returns the segment wanted
 * next: the former one's memory may let more of them stay. UINT32_MAX: none. */
uint32_t sz_model_activate(void);

/* A segment of the running model that can stay in memory from now on, as after a load that failed beside it;
 * it is given with sz_model_load_segment(). UINT32_MAX: none, or a load is under way. */
uint32_t sz_model_growth_wanted(void);

/* After MODEL_MEMORY: bytes needed, bytes there are, and the arena's part in what is needed. */
void sz_model_shortage(uint32_t *needed, uint32_t *available, uint32_t *arena);

/* Bytes of segments that the running model streams for each frame; 0: all are resident. */
size_t sz_model_streamed(void);

/* Wipes and frees everything (reset, destroy). */
void sz_model_release(void);

bool sz_model_active(void);
const uint8_t *sz_model_digest(void); /* 32 bytes */
const struct sz_input_shape *sz_model_input(void);

/* Secure memory into which a frame record's plaintext is decrypted: a place in the model's arena, for its
 * frames plus 128 bytes of CBOR framing. With an active model only; not during an inference. */
uint8_t *sz_model_frame_buffer(size_t *capacity);

/* Runs the network on frame data (a view into the frame buffer, in the input-shape's format, exact size) as
 * far as it has segments. SZ_OK: results are kept for sz_model_write_results(). SEGMENTS_WANTED: to be
 * continued. */
enum sz_code sz_model_infer(struct sz_bytes data);

/* Goes on with ciphertexts from shared memory: the segments wanted, one behind the other, the first of them
 * `index`. As sz_model_infer(), and MODEL_ORDER (another is wanted), MODEL_DIGEST (not that segment),
 * TRUNCATED (ends within a segment), TRAILING_BYTES (more than were wanted), NO_INFERENCE: then the inference
 * is to be wiped. */
enum sz_code sz_model_infer_continue(uint32_t index, const volatile uint8_t *shared, size_t length);

/* The running model gives up some of its memory, streaming more of its weights; an inference that waits for
 * segments ends. False: it has nothing to give. */
bool sz_model_give_way(void);

/* Room in which to make a label of the running model, twice: the size of its results and this much more. */
enum { SZ_LABEL_ROOM = 384 };
uint8_t *sz_model_label_room(size_t *each);

/* An inference waits for segments. It also ends when the model is replaced or gives up memory. */
bool sz_model_inferring(void);

/* Writes wanted-segments (CDDL), at most this many, and returns the first of them. */
uint32_t sz_model_write_wanted(struct sz_cbor_writer *writer, uint32_t most);

/* Writes the `results` item of a label (CDDL) for the last inference. */
void sz_model_write_results(struct sz_cbor_writer *writer);

/* Upper bound in bytes of the encoded results of this model: labels of one model have one size. */
size_t sz_model_results_bound(void);

/* Wipes frame, activations, streamed segments and results. Called after every frame, whatever happened. */
void sz_model_wipe_inference(void);

/* Bytes of secure heap held by the running model, and by its arena alone (telemetry). */
void sz_model_memory(size_t *model, size_t *arena);

#endif
