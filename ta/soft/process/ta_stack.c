#define _GNU_SOURCE
#include "ta_stack.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "internal/tee.h"

#define GUARD (64u << 10)
#define PATTERN 0xa5u
/* What the serving loop itself uses (OP-TEE adds 2 KiB of its framework's to the TA's stack). */
#define FRAMEWORK (4u << 10)

static uint8_t *stack;
static size_t total, own;

int sz_ta_stack_map(size_t size)
{
    uint8_t *memory;

    own = (size + FRAMEWORK + 4095u) & ~(size_t)4095u;
    total = own + SZ_STACK_MARGIN;
    memory = mmap(NULL, total + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory + GUARD, total, PROT_READ | PROT_WRITE) != 0)
        return -1;
    stack = memory + GUARD;
    memset(stack, PATTERN, total);
    return 0;
}

void *sz_ta_stack_memory(size_t *size)
{
    *size = total;
    return stack;
}

#ifdef __SANITIZE_ADDRESS__
/* The sanitizer knows one stack. */
void sz_ta_stack_run(void (*function)(void))
{
    function();
}

void sz_check_stack(void)
{
}
#else
void sz_ta_stack_run(void (*function)(void))
{
    static ucontext_t outside, inside;

    getcontext(&inside);
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = total;
    inside.uc_link = &outside;
    makecontext(&inside, function, 0);
    swapcontext(&outside, &inside);
}

void sz_check_stack(void)
{
    const uint8_t *here = __builtin_frame_address(0);

    if (here >= stack && here < stack + total && (size_t)(stack + total - here) > own)
        sz_panic(TEE_ERROR_OVERFLOW, "the TA uses more than its stack (TA_STACK_SIZE_KIB)");
}
#endif

size_t sz_ta_stack_peak(void)
{
    size_t untouched = 0;

    while (untouched < total && stack[untouched] == PATTERN)
        untouched++;
    return total - untouched;
}
