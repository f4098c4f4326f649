/* Loops over registers: without unrolling, an array of sums would be one in memory. `foreach` is a name that
 * clang-format knows as a loop. */
#ifndef SZ_TINYLIB_X86_UNROLL_H
#define SZ_TINYLIB_X86_UNROLL_H

#include <stddef.h>

#if defined(__clang__)
#define SZ_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SZ_UNROLL _Pragma("GCC unroll 32")
#endif

#define foreach(i, n) SZ_UNROLL for (size_t i = 0; i < (n); i++)

#endif
