/* What fits into a TEE: secure memory for the TA's image, stack and heap, and page tables for all that is
 * mapped during one invoke. */
#ifndef SZ_BUDGET_H
#define SZ_BUDGET_H

#include <stddef.h>

/* CFG_PGT_CACHE_ENTRIES as measured on QEMU v8; each table maps 2 MiB. */
#define SZ_PAGE_TABLES 8u

struct sz_budget {
    size_t secure_size; /* all secure memory that TAs can have */
    size_t page_tables;
    size_t image_size, stack_size, heap_size;
};

/* Code and data of this program as its ELF segments say, whole pages. The implementation of the TEE API in it
 * stands for libutee, which is part of a TA's image too; libcrypto and libc stand for the core and are not
 * counted. */
size_t sz_image_size(void);

/* Whether the TA can be loaded. */
int sz_budget_loads(const struct sz_budget *budget);

/* Whether memrefs of these offsets and sizes can be mapped for an invoke beside the TA. */
struct sz_memref_span {
    size_t memory; /* which shared memory */
    size_t offset, size;
};
int sz_budget_maps(const struct sz_budget *budget, const struct sz_memref_span *spans, size_t count);

#endif
