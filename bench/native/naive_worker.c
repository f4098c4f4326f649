/*
 * An inference whose weights come into the TEE piece by piece, as a worker of the bench (worker.h):
 *
 *     naive_worker GRAPH WEIGHTS INPUT PIECE
 *
 * Before each inference all weights go through invokes of PIECE bytes into the software TEE's test TA, which
 * copies each into memory of its own (SMART_ZONE_TEE_DIR, _SPAWN and _TA say where); then the graph runs in
 * this process.
 */
#include "engine.h"
#include "soft/test/test_ta.h"
#include "sz_codes.h"
#include "tee_client_api.h"
#include "worker.h"

#include <stdlib.h>
#include <string.h>

#define MOST_PIECE (1u << 20)

struct naive {
    struct engine engine;
    TEEC_Context context;
    TEEC_Session session;
    TEEC_SharedMemory shared;
    size_t piece;
};

static void check(TEEC_Result result, const char *what)
{
    if (result != TEEC_SUCCESS)
        worker_die("the software TEE refuses", what);
}

static void open_session(struct naive *naive)
{
    const TEEC_UUID uuid = SZ_TA_UUID;
    uint32_t origin;
    check(TEEC_InitializeContext(NULL, &naive->context), "a context");
    check(TEEC_OpenSession(&naive->context, &naive->session, &uuid, TEEC_LOGIN_PUBLIC, NULL, NULL, &origin),
          "a session");
    naive->shared.size = 2 * MOST_PIECE;
    naive->shared.flags = TEEC_MEM_INPUT | TEEC_MEM_OUTPUT;
    check(TEEC_AllocateSharedMemory(&naive->context, &naive->shared), "shared memory");
}

static void move_piece(struct naive *naive, const uint8_t *bytes, size_t length)
{
    TEEC_Operation operation;
    uint32_t origin;
    memset(&operation, 0, sizeof(operation));
    memcpy(naive->shared.buffer, bytes, length);
    operation.paramTypes = TEEC_PARAM_TYPES(TEEC_MEMREF_PARTIAL_INPUT, TEEC_MEMREF_PARTIAL_OUTPUT,
                                            TEEC_VALUE_INOUT, TEEC_VALUE_OUTPUT);
    operation.params[0].memref = (TEEC_RegisteredMemoryReference){&naive->shared, length, 0};
    operation.params[1].memref = (TEEC_RegisteredMemoryReference){&naive->shared, length, MOST_PIECE};
    check(TEEC_InvokeCommand(&naive->session, TEST_ECHO, &operation, &origin), "an invoke");
}

static void infer(void *context)
{
    struct naive *naive = context;
    for (size_t i = 0; i < naive->engine.segment_count; i++) {
        const struct sz_segment *segment = &naive->engine.segments[i];
        for (size_t at = 0; at < segment->length; at += naive->piece) {
            size_t left = segment->length - at;
            move_piece(naive, (const uint8_t *)segment->bytes + at,
                       left < naive->piece ? left : naive->piece);
        }
    }
    engine_infer(&naive->engine);
}

static void output(void *context, const void **bytes, size_t *length)
{
    struct naive *naive = context;
    engine_output(&naive->engine, bytes, length);
}

int main(int argc, char **argv)
{
    static struct naive naive;
    if (argc != 5)
        worker_die("usage", "naive_worker GRAPH WEIGHTS INPUT PIECE");
    long piece = strtol(argv[4], NULL, 10);
    if (piece < 1 || piece > (long)MOST_PIECE)
        worker_die("not a size of pieces:", argv[4]);
    naive.piece = (size_t)piece;
    engine_open(&naive.engine, argv[1], argv[2], argv[3]);
    open_session(&naive);
    return worker_serve(&(struct worker){&naive, infer, output, NULL});
}
