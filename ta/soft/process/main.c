/* smart-zone-ta: the process that stands for the secure world. Started by smart-zone-tee only. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "internal/operation.h"
#include "remote_storage.h"
#include "sandbox.h"
#include "session.h"
#include "ta_stack.h"
#include "transfer.h"
#include "user_ta_header_defines.h"
#include "wire.h"

static struct sz_budget budget;
static struct sz_sandbox sandbox;

static void on_panic(TEE_Result code, const char *reason)
{
    fprintf(stderr, "smart-zone-ta: panic 0x%08x: %s\n", code, reason);
    _exit(101);
}

static size_t kib(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*end || value == 0 || value > (1ul << 20)) {
        fprintf(stderr, "smart-zone-ta: not a size in KiB: %s\n", text);
        exit(64);
    }
    return value << 10;
}

static void parse(int argc, char **argv, struct sz_soft_tee_config *config, uid_t *uid)
{
    static const struct option options[] = {
        {"heap-kib", required_argument, NULL, 'h'},
        {"stack-kib", required_argument, NULL, 's'},
        {"secure-kib", required_argument, NULL, 'm'},
        {"core-heap-kib", required_argument, NULL, 'c'},
        {"page-tables", required_argument, NULL, 'p'},
        {"uid", required_argument, NULL, 'u'},
        {NULL, 0, NULL, 0},
    };

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (option) {
        case 'h':
            config->heap_size = kib(optarg);
            break;
        case 's':
            config->stack_size = kib(optarg);
            break;
        case 'm':
            budget.secure_size = kib(optarg);
            break;
        case 'c':
            config->core_heap_size = kib(optarg);
            break;
        case 'p':
            budget.page_tables = kib(optarg) >> 10;
            break;
        case 'u':
            *uid = (uid_t)(kib(optarg) >> 10);
            break;
        default:
            exit(64);
        }
}

/* What the supervisor is told, and the last thing if the TA cannot be loaded. */
static void report(TEE_Result result)
{
    const struct sz_wire_ready ready = {result};

    if (sz_send_packet(SZ_FD_CONTROL, &ready, sizeof ready, -1) != 0 || result != TEE_SUCCESS)
        _exit(1);
}

static void check_budget(void)
{
#ifndef __SANITIZE_ADDRESS__ /* whose code is several times as large */
    if (sz_budget_loads(&budget))
        return;
    fprintf(stderr,
            "smart-zone-ta: does not fit: image %zu + stack %zu + heap %zu KiB of %zu KiB secure memory; "
            "build with a "
            "smaller TA_DATA_SIZE_KIB\n",
            budget.image_size >> 10, budget.stack_size >> 10, budget.heap_size >> 10,
            budget.secure_size >> 10);
    report(TEE_ERROR_OUT_OF_MEMORY);
#endif
}

static void *map_heap(size_t size)
{
    void *heap = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (heap == MAP_FAILED)
        report(TEE_ERROR_OUT_OF_MEMORY);
    madvise(heap, size, MADV_DONTDUMP);
    /* Every inference goes through megabytes of weights from end to end. */
    madvise(heap, size, MADV_HUGEPAGE);
    return heap;
}

/* The same in a sentence, for whoever reads a log: nobody should have to know what a "-" means. */
static void say_what_is_off(const char *applied)
{
    char off[sizeof sandbox.applied] = "";
    size_t length = 0;

    for (const char *name = applied; *name; name += *name == ' ') {
        const size_t size = strcspn(name, " ");

        if (*name == '-') {
            if (length)
                off[length++] = ' ';
            memcpy(off + length, name + 1, size - 1);
            length += size - 1;
        }
        name += size;
    }
    if (length)
        fprintf(
            stderr,
            "smart-zone-ta: this machine or user does not allow, and so the TA's process runs without: %s\n",
            off);
}

static void serve(void)
{
    sz_serve(&budget);
}

int main(int argc, char **argv)
{
    static const TEE_UUID uuid = TA_UUID;
    struct sz_soft_tee_config config;
    uid_t uid = 65534;
    size_t stack_size;
    void *stack;

    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    signal(SIGPIPE, SIG_IGN);
    sz_soft_tee_defaults(&config);
    config.uuid = uuid;
    config.heap_size = TA_DATA_SIZE;
    config.stack_size = TA_STACK_SIZE;
    budget.secure_size = SZ_SOFT_SECURE_SIZE;
    budget.page_tables = SZ_PAGE_TABLES;
    parse(argc, argv, &config, &uid);
    budget.heap_size = config.heap_size;
    budget.stack_size = config.stack_size;
    budget.image_size = config.image_size = sz_image_size();
    check_budget();

    sz_evp(); /* libcrypto reads what it needs from files now */
    sz_sandbox_enter(&sandbox, uid);
    config.heap = map_heap(config.heap_size);
    if (sz_ta_stack_map(config.stack_size) != 0)
        report(TEE_ERROR_OUT_OF_MEMORY);
    sz_sandbox_lock_memory(&sandbox, config.heap, config.heap_size);
    stack = sz_ta_stack_memory(&stack_size);
    mlock(stack, stack_size);
    if (read(SZ_FD_HUK, config.huk, sizeof config.huk) != (ssize_t)sizeof config.huk) {
        fprintf(stderr, "smart-zone-ta: started without the supervisor\n");
        return 64;
    }
    close(SZ_FD_HUK);
    config.panic = on_panic;
    config.stack_peak = sz_ta_stack_peak;
    config.sandbox = sandbox.applied;
    sz_storage_remote(&config.storage);
#ifdef __SANITIZE_ADDRESS__
    sz_sandbox_note(&sandbox, "seccomp", 0); /* the sanitizer's own calls are not in the filter */
#else
    sz_sandbox_restrict_calls(&sandbox);
#endif
    fprintf(stderr, "smart-zone-ta: image %zu + stack %zu + heap %zu of %zu KiB; sandbox: %s\n",
            budget.image_size >> 10, budget.stack_size >> 10, budget.heap_size >> 10,
            budget.secure_size >> 10, sandbox.applied);
    say_what_is_off(sandbox.applied);
    if (sz_soft_tee_start(&config) != TEE_SUCCESS)
        report(TEE_ERROR_OUT_OF_MEMORY);
    TEE_MemFill(config.huk, 0, sizeof config.huk);
    report(TEE_SUCCESS);
    sz_ta_stack_run(serve);
    _exit(0);
}
