#include "tee_session.h"

#include <cstdio>

namespace
{

std::string hex(TEEC_Result code)
{
    char text[16];

    std::snprintf(text, sizeof text, "0x%08x", code);
    return text;
}

} // namespace

Session::Session(const std::string &path, const TEEC_UUID &uuid, size_t bufferSize) : library(path)
{
    uint32_t origin = TEEC_ORIGIN_API;
    TEEC_Result result = library.initializeContext(nullptr, &context);

    if (result != TEEC_SUCCESS)
        throw TeeFailure("no TEE: TEEC_InitializeContext gave " + hex(result), result, origin);
    memory.size = bufferSize;
    memory.flags = TEEC_MEM_INPUT | TEEC_MEM_OUTPUT;
    result = library.allocateSharedMemory(&context, &memory);
    if (result != TEEC_SUCCESS) {
        library.finalizeContext(&context);
        throw TeeFailure("no shared memory of " + std::to_string(bufferSize) + " bytes: " + hex(result),
                         result, origin);
    }
    result = library.openSession(&context, &session, &uuid, TEEC_LOGIN_PUBLIC, nullptr, nullptr, &origin);
    if (result != TEEC_SUCCESS) {
        library.releaseSharedMemory(&memory);
        library.finalizeContext(&context);
        throw TeeFailure("no session with the TA: TEEC_OpenSession gave " + hex(result), result, origin);
    }
}

Session::~Session()
{
    library.closeSession(&session);
    library.releaseSharedMemory(&memory);
    library.finalizeContext(&context);
}

Reply Session::invoke(const Invoke &call)
{
    TEEC_Operation operation{};
    Reply reply;

    operation.paramTypes = TEEC_PARAM_TYPES(TEEC_MEMREF_PARTIAL_INPUT, TEEC_MEMREF_PARTIAL_OUTPUT,
                                            TEEC_VALUE_INOUT, TEEC_VALUE_OUTPUT);
    operation.params[0].memref = {&memory, call.inLength, call.inOffset};
    operation.params[1].memref = {&memory, call.outLength, call.outOffset};
    operation.params[2].value = {call.a, call.b};
    reply.result = library.invokeCommand(&session, call.command, &operation, &reply.origin);
    reply.outLength = operation.params[1].memref.size;
    reply.a = operation.params[2].value.a;
    reply.b = operation.params[2].value.b;
    reply.c = operation.params[3].value.a;
    reply.d = operation.params[3].value.b;
    return reply;
}

bool parseUuid(const std::string &text, TEEC_UUID &uuid)
{
    unsigned b[8], low, mid, high;
    int end = 0;

    if (std::sscanf(text.c_str(), "%8x-%4x-%4x-%2x%2x-%2x%2x%2x%2x%2x%2x%n", &low, &mid, &high, &b[0], &b[1],
                    &b[2], &b[3], &b[4], &b[5], &b[6], &b[7], &end) != 11 ||
        end != 36 || text.size() != 36)
        return false;
    uuid.timeLow = low;
    uuid.timeMid = static_cast<uint16_t>(mid);
    uuid.timeHiAndVersion = static_cast<uint16_t>(high);
    for (int i = 0; i < 8; i++)
        uuid.clockSeqAndNode[i] = static_cast<uint8_t>(b[i]);
    return true;
}
