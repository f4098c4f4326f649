// The TEE Client API of a library that is loaded at run time: OP-TEE's libteec or the software TEE's.
#pragma once

#include <string>

#include "tee_client_api.h"

class ClientLibrary
{
  public:
    // Throws std::runtime_error when the library cannot be loaded or lacks a function. Never unloaded:
    // OP-TEE's keeps threads and descriptors of its own.
    explicit ClientLibrary(const std::string &path);

    decltype(&TEEC_InitializeContext) initializeContext;
    decltype(&TEEC_FinalizeContext) finalizeContext;
    decltype(&TEEC_OpenSession) openSession;
    decltype(&TEEC_CloseSession) closeSession;
    decltype(&TEEC_InvokeCommand) invokeCommand;
    decltype(&TEEC_AllocateSharedMemory) allocateSharedMemory;
    decltype(&TEEC_ReleaseSharedMemory) releaseSharedMemory;
};
