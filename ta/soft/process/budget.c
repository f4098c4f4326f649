#define _GNU_SOURCE
#include "budget.h"

#include <link.h>
#include <stdint.h>

#define PAGE ((size_t)4096)
#define TABLE ((size_t)2 << 20)

static size_t up(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

static int add_segments(struct dl_phdr_info *object, size_t size, void *sum)
{
    (void)size;
    for (unsigned i = 0; i < object->dlpi_phnum; i++)
        if (object->dlpi_phdr[i].p_type == PT_LOAD)
            *(size_t *)sum += up(object->dlpi_phdr[i].p_vaddr % PAGE + object->dlpi_phdr[i].p_memsz, PAGE);
    return 1; /* the first object is the program itself */
}

size_t sz_image_size(void)
{
    size_t sum = 0;

    dl_iterate_phdr(add_segments, &sum);
    return sum;
}

static size_t secure(const struct sz_budget *budget)
{
    return up(budget->image_size, PAGE) + up(budget->stack_size, PAGE) + up(budget->heap_size, PAGE);
}

int sz_budget_loads(const struct sz_budget *budget)
{
    return secure(budget) <= budget->secure_size && up(secure(budget), TABLE) / TABLE <= budget->page_tables;
}

int sz_budget_maps(const struct sz_budget *budget, const struct sz_memref_span *spans, size_t count)
{
    size_t mapped = 0;

    /* OP-TEE joins ranges of one shared memory that touch, and maps what remains one after the other.
     * Counting them separately asks for at most a page more each. Secure and other memory never share a
     * table. */
    for (size_t i = 0; i < count; i++) {
        int inside = 0;

        if (spans[i].size == 0)
            continue;
        for (size_t j = 0; j < count && !inside; j++) {
            int larger = spans[j].size > spans[i].size || (spans[j].size == spans[i].size && j < i);

            inside = j != i && larger && spans[j].memory == spans[i].memory &&
                     spans[j].offset <= spans[i].offset &&
                     spans[j].offset + spans[j].size >= spans[i].offset + spans[i].size;
        }
        if (!inside)
            mapped += up(spans[i].offset % PAGE + spans[i].size, PAGE);
    }
    return up(secure(budget), TABLE) / TABLE + up(mapped, TABLE) / TABLE <= budget->page_tables;
}
