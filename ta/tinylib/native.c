/* Where no architecture's folder has kernels, the reference runs everything. */
#include "target.h"

#if (defined(__x86_64__) && __has_include("x86/kernels.h")) ||                                               \
     (defined(__aarch64__) && __has_include("neon/kernels.h"))
typedef int sz_not_empty;
#else
const struct sz_target_kernels *sz_native_kernels(void)
{
    return NULL;
}

const char *sz_native_target_name(void)
{
    return "ref";
}
#endif
