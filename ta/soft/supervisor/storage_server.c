#include "storage_server.h"

#include <stdlib.h>

#include "internal/storage_backend.h"
#include "transfer.h"
#include "wire.h"

static int answer(int stream, TEE_Result result, const uint8_t *blob, size_t size)
{
    const struct sz_wire_storage_reply reply = {result, (uint32_t)size};

    return sz_send_all(stream, &reply, sizeof reply) == 1 &&
           (size == 0 || sz_send_all(stream, blob, size) == 1);
}

static int write_request(int stream, const struct sz_storage_backend *files,
                         const struct sz_wire_storage_request *request)
{
    uint8_t *blob;
    int good;

    if (request->size > SZ_STORAGE_MAX_SIZE)
        return 0;
    blob = malloc(request->size ? request->size : 1);
    if (!blob)
        return 0;
    good = sz_receive_all(stream, blob, request->size) == 1 &&
           answer(stream, files->write(files->context, request->name, blob, request->size), NULL, 0);
    free(blob);
    return good;
}

static int read_request(int stream, const struct sz_storage_backend *files,
                        const struct sz_wire_storage_request *request)
{
    uint8_t *blob = NULL;
    size_t size = 0;
    TEE_Result result = files->read(files->context, request->name, &blob, &size);
    int good = answer(stream, result, blob, result == TEE_SUCCESS ? size : 0);

    if (result == TEE_SUCCESS)
        free(blob);
    return good;
}

int sz_storage_serve(int stream)
{
    struct sz_storage_backend files;
    struct sz_wire_storage_request request;

    sz_storage_in_directory(&files, "storage");
    if (sz_receive_all(stream, &request, sizeof request) != 1)
        return 0;
    switch (request.kind) {
    case SZ_WIRE_READ:
        return read_request(stream, &files, &request);
    case SZ_WIRE_WRITE:
        return write_request(stream, &files, &request);
    case SZ_WIRE_REMOVE:
        return answer(stream, files.remove(files.context, request.name), NULL, 0);
    default:
        return 0;
    }
}
