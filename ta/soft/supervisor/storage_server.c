#include "storage_server.h"

#include <stdlib.h>
#include <unistd.h>

#include "internal/storage_backend.h"
#include "transfer.h"
#include "wire.h"

static TEE_Result write_object(const struct sz_storage_backend *files,
                               const struct sz_wire_storage_request *request, int fd)
{
    uint8_t *blob;
    TEE_Result result;

    if (fd < 0 || request->size > SZ_STORAGE_MAX_SIZE) {
        if (fd >= 0)
            close(fd);
        return TEE_ERROR_BAD_PARAMETERS;
    }
    blob = sz_blob_receive(fd, request->size);
    if (!blob)
        return TEE_ERROR_OUT_OF_MEMORY;
    result = files->write(files->context, request->name, blob, request->size);
    free(blob);
    return result;
}

/* *fd is for the reply. */
static TEE_Result read_object(const struct sz_storage_backend *files,
                              const struct sz_wire_storage_request *request, uint32_t *size, int *fd)
{
    uint8_t *blob;
    size_t length;
    TEE_Result result = files->read(files->context, request->name, &blob, &length);

    if (result != TEE_SUCCESS)
        return result;
    *size = (uint32_t)length;
    *fd = sz_blob_send_as(blob, length);
    free(blob);
    return *fd >= 0 ? TEE_SUCCESS : TEE_ERROR_OUT_OF_MEMORY;
}

int sz_storage_serve(int connection)
{
    struct sz_storage_backend files;
    struct sz_wire_storage_request request;
    struct sz_wire_storage_reply reply = {.result = TEE_ERROR_BAD_FORMAT};
    int fd, sent, answer = -1;

    sz_storage_in_directory(&files, "storage");
    if (sz_receive_packet(connection, &request, sizeof request, &fd) != 1)
        return 0;
    reply.number = request.number;
    if (request.kind == SZ_WIRE_WRITE) {
        reply.result = write_object(&files, &request, fd);
        fd = -1;
    } else if (request.kind == SZ_WIRE_READ) {
        reply.result = read_object(&files, &request, &reply.size, &answer);
    } else if (request.kind == SZ_WIRE_REMOVE) {
        reply.result = files.remove(files.context, request.name);
    }
    if (fd >= 0)
        close(fd);
    sent = sz_send_packet(connection, &reply, sizeof reply, answer) == 0;
    if (answer >= 0)
        close(answer);
    return sent;
}
