/* The whole TA in one process under sanitizers, driven over a pipe: for tests in TypeScript (test/ta). Not a
 * mock: the TA's own sources on the software TEE's Internal Core API. Usage: ta_host STORAGE, a directory
 * that the test may take away, restore or damage. TA_HOST_HEAP_KIB in the environment: the TA's heap.
 *
 * Request: command, a, b, in length, out capacity, types (0: the right ones), in bytes.
 * Reply: result, a, b, c, d, out length, out bytes. All numbers 32 bits, little-endian.
 */
#define _GNU_SOURCE
#include "soft_tee.h"
#include "sz_codes.h"
#include "trust/signed.h"

#include <sanitizer/lsan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Commands to this program, not to the TA. */
enum {
    RESTART = 0xffffffff,     /* memory is lost, storage stays; result: TA_CreateEntryPoint()'s */
    SESSION = 0xfffffffd,     /* requests come from session `a` from now on */
    END_SESSION = 0xfffffffc, /* session `a` closes */
    HEAP = 0xfffffffe,        /* a: bytes of TA heap in use, b: highest so far, c: size */
    FIND = 0xfffffffb,        /* a: how often these bytes are in the TA's heap, in use or not */
    CLOCK = 0xfffffffa,       /* the TEE's clock stands at `a` seconds from now on, over restarts too */
    REHEARSE = 0xfffffff9,    /* what comes until BACK happens to a copy of this process */
    BACK = 0xfffffff8,        /* and is forgotten, but for what it stored; a: 0, or the copy's end */
    SIGN = 0xfffffff7,        /* the device signs as it never would: purpose, 0, payload */
};

static uint8_t *heap;
static size_t heap_size;

/* The linker puts this in place of clock_gettime() in all that is linked here. */
int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    const char *const stands_at = getenv("TA_HOST_CLOCK"); /* the environment outlives the process image */
    if (stands_at == NULL) {
        return __real_clock_gettime(clock, time);
    }
    *time = (struct timespec){(time_t)strtoul(stands_at, NULL, 10), 0};
    return 0;
}

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

static void set_clock(uint32_t seconds)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%u", seconds);
    if (setenv("TA_HOST_CLOCK", text, 1) != 0) {
        exit(1);
    }
    answer(TEE_SUCCESS, NULL, NULL);
}

static void start_tee(const char *storage)
{
    struct sz_soft_tee_config config;
    const char *const kib = getenv("TA_HOST_HEAP_KIB");
    sz_soft_tee_defaults(&config);
    if (kib != NULL) {
        config.heap_size = (size_t)strtoul(kib, NULL, 10) << 10;
    }
    heap_size = config.heap_size;
    heap = config.heap = aligned_alloc(64, heap_size);
    sz_storage_in_directory(&config.storage, storage);
    if (sz_soft_tee_start(&config) != TEE_SUCCESS) {
        exit(2);
    }
}

/* Where branches are counted (trust_coverage.mk), this image's counts go to the file before it goes. */
__attribute__((weak)) int __llvm_profile_write_file(void);

/* A new process image, so that nothing at all is left of what the TA had in memory. */
static void restart(char *storage)
{
    char *const again[] = {(char[]){"ta_host"}, storage, (char[]){"restarted"}, NULL};
    TA_DestroyEntryPoint();
    if (__lsan_do_recoverable_leak_check() == 0) {
        if (__llvm_profile_write_file != NULL) {
            (void)__llvm_profile_write_file();
        }
        execv("/proc/self/exe", again);
    }
    exit(3);
}

static void tell_heap(void)
{
    struct sz_soft_tee_usage usage;
    TEE_Param params[TEE_NUM_PARAMS] = {0};
    sz_soft_tee_usage(&usage);
    params[2].value.a = (uint32_t)usage.heap_used;
    params[2].value.b = (uint32_t)usage.heap_peak;
    params[3].value.a = (uint32_t)usage.heap_size;
    answer(TEE_SUCCESS, params, NULL);
}

/* Reads what is free, too: that must have been wiped. */
__attribute__((no_sanitize("address"))) static uint32_t occurrences(const uint8_t *what, size_t length)
{
    uint32_t found = 0;
    for (size_t at = 0; at + length <= heap_size; at++) {
        size_t same = 0;
        while (same < length && heap[at + same] == what[same]) {
            same++;
        }
        found += same == length;
    }
    return found;
}

static void find(size_t length)
{
    TEE_Param params[TEE_NUM_PARAMS] = {0};
    uint8_t *const what = malloc(length + 1);
    if (what == NULL || !read_all(what, length)) {
        exit(1);
    }
    params[2].value.a = occurrences(what, length);
    free(what);
    answer(TEE_SUCCESS, params, NULL);
}

/* The copy goes on with the requests, and this process waits for its end. Nothing is read ahead: requests do
 * not overlap. */
static void rehearse(void)
{
    TEE_Param params[TEE_NUM_PARAMS] = {0};
    int status = 0;
    const pid_t copy = fork();
    if (copy == 0) {
        answer(TEE_SUCCESS, NULL, NULL);
        return;
    }
    if (copy < 0 || waitpid(copy, &status, 0) != copy) {
        exit(4);
    }
    params[2].value.a = (uint32_t)status;
    answer(TEE_SUCCESS, params, NULL);
}

static void back(void)
{
    if (__llvm_profile_write_file != NULL) {
        (void)__llvm_profile_write_file();
    }
    _exit(0);
}

/* For messages that only a device could make, and that no client may believe for its signature alone. */
static void sign(size_t length, size_t capacity)
{
    TEE_Param params[TEE_NUM_PARAMS] = {0};
    char *const in = malloc(length + 1);
    uint8_t *const out = malloc(capacity + 1);
    size_t purpose;
    if (in == NULL || out == NULL || !read_all(in, length)) {
        exit(1);
    }
    in[length] = 0;
    purpose = strlen(in) + 1;
    if (purpose > length) {
        exit(1);
    }
    params[2].value.a = (uint32_t)sz_signed_write(SZ_BYTES((uint8_t *)in + purpose, length - purpose), in,
                                                  out, capacity, &params[1].memref.size);
    answer(TEE_SUCCESS, params, out);
    free(in);
    free(out);
}

static void invoke(uintptr_t session, const uint32_t head[6])
{
    /* Exact sizes, so that the sanitizer sees every byte too far. */
    uint8_t *const in = malloc(head[3] + 1), *const out = malloc(head[4] + 1);
    const uint32_t right = TEE_PARAM_TYPES(TEE_PARAM_TYPE_MEMREF_INPUT, TEE_PARAM_TYPE_MEMREF_OUTPUT,
                                           TEE_PARAM_TYPE_VALUE_INOUT, TEE_PARAM_TYPE_VALUE_OUTPUT);
    TEE_Param params[TEE_NUM_PARAMS] = {0};
    if (in == NULL || out == NULL || !read_all(in, head[3])) {
        exit(1);
    }
    params[0].memref.buffer = in;
    params[0].memref.size = head[3];
    params[1].memref.buffer = out;
    params[1].memref.size = head[4];
    params[2].value.a = head[1];
    params[2].value.b = head[2];
    answer(TA_InvokeCommandEntryPoint((void *)session, head[0], head[5] != 0 ? head[5] : right, params),
           params, out);
    free(in);
    free(out);
}

int main(int argc, char **argv)
{
    uint32_t head[6];
    uintptr_t session = 1;
    TEE_Result created;
    if (argc < 2) {
        return 2;
    }
    start_tee(argv[1]);
    created = TA_CreateEntryPoint();
    if (argc > 2) {
        answer(created, NULL, NULL);
    } else if (created != TEE_SUCCESS) {
        return 2;
    }
    while (read_all(head, sizeof head)) {
        switch (head[0]) {
        case RESTART:
            restart(argv[1]);
            break;
        case SESSION:
            session = head[1];
            answer(TEE_SUCCESS, NULL, NULL);
            break;
        case END_SESSION:
            TA_CloseSessionEntryPoint((void *)(uintptr_t)head[1]);
            answer(TEE_SUCCESS, NULL, NULL);
            break;
        case HEAP:
            tell_heap();
            break;
        case FIND:
            find(head[3]);
            break;
        case CLOCK:
            set_clock(head[1]);
            break;
        case REHEARSE:
            rehearse();
            break;
        case BACK:
            back();
            break;
        case SIGN:
            sign(head[3], head[4]);
            break;
        default:
            invoke(session, head);
        }
    }
    TA_DestroyEntryPoint();
    return 0;
}
