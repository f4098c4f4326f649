#include "client_library.h"

#include <dlfcn.h>

#include <stdexcept>

namespace
{

template <typename Function> void find(void *library, const char *name, Function &function)
{
    void *symbol = dlsym(library, name);

    if (!symbol)
        throw std::runtime_error(std::string("the TEE client library has no ") + name);
    function = reinterpret_cast<Function>(symbol);
}

} // namespace

ClientLibrary::ClientLibrary(const std::string &path)
{
    void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);

    if (!library)
        throw std::runtime_error(std::string("cannot load the TEE client library: ") + dlerror());
    find(library, "TEEC_InitializeContext", initializeContext);
    find(library, "TEEC_FinalizeContext", finalizeContext);
    find(library, "TEEC_OpenSession", openSession);
    find(library, "TEEC_CloseSession", closeSession);
    find(library, "TEEC_InvokeCommand", invokeCommand);
    find(library, "TEEC_AllocateSharedMemory", allocateSharedMemory);
    find(library, "TEEC_ReleaseSharedMemory", releaseSharedMemory);
}
