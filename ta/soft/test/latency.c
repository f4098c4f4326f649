/* What a call into the TEE costs: latency [library]. Needs the test TA (SMART_ZONE_TEE_TA) and
 * SMART_ZONE_TEE_DIR. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sz_codes.h"
#include "tee_client_api.h"
#include "test_ta.h"

#define ROUNDS 5000
#define BLOCK (150u << 10)

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(void)
{
    static double times[ROUNDS];
    static const struct {
        const char *name;
        uint32_t command, size;
    } cases[] = {{"empty", TEST_EMPTY, 0}, {"echo 150 KB", TEST_ECHO, BLOCK}};
    const TEEC_UUID uuid = SZ_TA_UUID;
    TEEC_Context context;
    TEEC_Session session;
    TEEC_SharedMemory shared;
    double start = now();
    uint32_t origin;
    TEEC_Result result = TEEC_InitializeContext(NULL, &context);

    if (result == TEEC_SUCCESS)
        result = TEEC_OpenSession(&context, &session, &uuid, TEEC_LOGIN_PUBLIC, NULL, NULL, &origin);
    if (result != TEEC_SUCCESS) {
        fprintf(stderr, "no session: 0x%08x\n", result);
        return 1;
    }
    printf("context and session: %.1f ms\n", (now() - start) / 1e3);
    memset(&shared, 0, sizeof shared);
    shared.size = 2u << 20;
    shared.flags = TEEC_MEM_INPUT | TEEC_MEM_OUTPUT;
    if (TEEC_AllocateSharedMemory(&context, &shared) != TEEC_SUCCESS)
        return 1;
    for (size_t c = 0; c < 2; c++) {
        for (int i = 0; i < ROUNDS; i++) {
            TEEC_Operation operation;

            memset(&operation, 0, sizeof operation);
            operation.paramTypes = TEEC_PARAM_TYPES(TEEC_MEMREF_PARTIAL_INPUT, TEEC_MEMREF_PARTIAL_OUTPUT,
                                                    TEEC_VALUE_INOUT, TEEC_VALUE_OUTPUT);
            operation.params[0].memref = (TEEC_RegisteredMemoryReference){&shared, cases[c].size, 0};
            operation.params[1].memref = (TEEC_RegisteredMemoryReference){&shared, cases[c].size, 1u << 20};
            start = now();
            result = TEEC_InvokeCommand(&session, cases[c].command, &operation, &origin);
            times[i] = now() - start;
            if (result != TEEC_SUCCESS) {
                fprintf(stderr, "%s: 0x%08x\n", cases[c].name, result);
                return 1;
            }
        }
        qsort(times, ROUNDS, sizeof times[0], by_value);
        printf("%-12s median %.1f us, 99%% %.1f us\n", cases[c].name, times[ROUNDS / 2],
               times[ROUNDS * 99 / 100]);
    }
    TEEC_CloseSession(&session);
    TEEC_ReleaseSharedMemory(&shared);
    TEEC_FinalizeContext(&context);
    return 0;
}
