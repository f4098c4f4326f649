// A context, a session and one shared memory. Knows nothing of JavaScript; its calls block.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "client_library.h"

class TeeFailure : public std::runtime_error
{
  public:
    TeeFailure(const std::string &what, TEEC_Result code, uint32_t origin)
        : std::runtime_error(what), code(code), origin(origin)
    {
    }
    const TEEC_Result code;
    const uint32_t origin;
};

struct Invoke {
    uint32_t command = 0;
    size_t inOffset = 0, inLength = 0, outOffset = 0, outLength = 0;
    uint32_t a = 0, b = 0;
};

struct Reply {
    TEEC_Result result = 0;
    uint32_t origin = 0;
    size_t outLength = 0;
    uint32_t a = 0, b = 0, c = 0, d = 0;
};

class Session
{
  public:
    // Throws TeeFailure, or std::runtime_error when there is no library.
    Session(const std::string &library, const TEEC_UUID &uuid, size_t bufferSize);
    ~Session();
    Session(const Session &) = delete;
    Session &operator=(const Session &) = delete;

    uint8_t *buffer() const
    {
        return static_cast<uint8_t *>(memory.buffer);
    }
    size_t bufferSize() const
    {
        return memory.size;
    }

    // Every command of the TA has the same four parameters: memref in, memref out, value in and out, value
    // out. Parts of the buffer may be empty (libteec takes them; the TA sees NULL).
    Reply invoke(const Invoke &call);

  private:
    ClientLibrary library;
    TEEC_Context context{};
    TEEC_Session session{};
    TEEC_SharedMemory memory{};
};

// Parses 8-4-4-4-12 hexadecimal digits. False if it is something else.
bool parseUuid(const std::string &text, TEEC_UUID &uuid);
