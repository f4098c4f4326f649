/* The whole TA in one process under sanitizers, driven over a pipe: for tests in TypeScript (test/ta). Not a
 * mock: the TA's own sources on the software TEE's Internal Core API, with storage in a directory or in
 * memory.
 *
 * Request:  u32 command, u32 a, u32 b, u32 in length, u32 out capacity, u32 types (0: the right ones), in
 * bytes Reply:    u32 result, u32 a, b, c, d, u32 out length, out bytes       (all little-endian) Command
 * 0xffffffff restarts the TA (destroy, create): memory is lost, storage stays.
 */
#include "soft_tee.h"
#include "sz_codes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_all(void *to, size_t length)
{
    return length == 0 || fread(to, 1, length, stdin) == length;
}

static void write_all(const void *from, size_t length)
{
    if (length > 0 && fwrite(from, 1, length, stdout) != length) {
        exit(1);
    }
}

static void answer(TEE_Result result, const TEE_Param *params, const uint8_t *out)
{
    const uint32_t length = params == NULL || result != TEE_SUCCESS ? 0 : (uint32_t)params[1].memref.size;
    const uint32_t head[6] = {result,
                              params == NULL ? 0 : params[2].value.a,
                              params == NULL ? 0 : params[2].value.b,
                              params == NULL ? 0 : params[3].value.a,
                              params == NULL ? 0 : params[3].value.b,
                              length};
    write_all(head, sizeof head);
    write_all(out, length);
    fflush(stdout);
}

int main(void)
{
    uint32_t head[6];
    uintptr_t session = 1;
    if (TA_CreateEntryPoint() != TEE_SUCCESS) {
        return 2;
    }
    while (read_all(head, sizeof head)) {
        /* Exact sizes, so that the sanitizer sees every byte too far. */
        uint8_t *const in = malloc(head[3] + 1), *const out = malloc(head[4] + 1);
        TEE_Param params[TEE_NUM_PARAMS] = {0};
        const uint32_t types =
            head[5] != 0 ? head[5]
                         : TEE_PARAM_TYPES(TEE_PARAM_TYPE_MEMREF_INPUT, TEE_PARAM_TYPE_MEMREF_OUTPUT,
                                           TEE_PARAM_TYPE_VALUE_INOUT, TEE_PARAM_TYPE_VALUE_OUTPUT);
        if (in == NULL || out == NULL || !read_all(in, head[3])) {
            return 1;
        }
        if (head[0] == 0xffffffff) {
            TA_DestroyEntryPoint();
            answer(TA_CreateEntryPoint(), NULL, NULL);
        } else if (head[0] == 0xfffffffd || head[0] == 0xfffffffc) {
            if (head[0] == 0xfffffffd) {
                session = head[1];
            } else {
                TA_CloseSessionEntryPoint((void *)(uintptr_t)head[1]);
            }
            answer(TEE_SUCCESS, params, NULL);
        } else {
            params[0].memref.buffer = in;
            params[0].memref.size = head[3];
            params[1].memref.buffer = out;
            params[1].memref.size = head[4];
            params[2].value.a = head[1];
            params[2].value.b = head[2];
            answer(TA_InvokeCommandEntryPoint((void *)session, head[0], types, params), params, out);
        }
        free(in);
        free(out);
    }
    TA_DestroyEntryPoint();
    return 0;
}
