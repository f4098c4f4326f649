/* The storage backend of the TA's process: asks the supervisor over a stream. Whoever freezes the supervisor
 * makes such a call wait, as a storage call in OP-TEE waits for a dead tee-supplicant. */
#include <stdlib.h>
#include <string.h>

#include "remote_storage.h"
#include "transfer.h"
#include "wire.h"

/* Sends a request and receives the head of the reply. */
static TEE_Result ask(uint32_t kind, const uint8_t name[SZ_STORAGE_NAME_SIZE], const uint8_t *blob,
                      size_t size, struct sz_wire_storage_reply *reply)
{
    struct sz_wire_storage_request request = {.kind = kind, .size = (uint32_t)size};

    memcpy(request.name, name, sizeof request.name);
    if (sz_send_all(SZ_FD_STORAGE, &request, sizeof request) != 1 ||
        (size && sz_send_all(SZ_FD_STORAGE, blob, size) != 1) ||
        sz_receive_all(SZ_FD_STORAGE, reply, sizeof *reply) != 1)
        return TEE_ERROR_STORAGE_NOT_AVAILABLE;
    return reply->result;
}

static TEE_Result read_blob(void *context, const uint8_t name[SZ_STORAGE_NAME_SIZE], uint8_t **blob,
                            size_t *size)
{
    struct sz_wire_storage_reply reply;
    TEE_Result result = ask(SZ_WIRE_READ, name, NULL, 0, &reply);

    (void)context;
    if (result != TEE_SUCCESS)
        return result;
    if (reply.size > SZ_STORAGE_MAX_SIZE)
        return TEE_ERROR_STORAGE_NOT_AVAILABLE;
    *blob = malloc(reply.size ? reply.size : 1);
    if (!*blob)
        return TEE_ERROR_OUT_OF_MEMORY;
    if (sz_receive_all(SZ_FD_STORAGE, *blob, reply.size) != 1) {
        free(*blob);
        return TEE_ERROR_STORAGE_NOT_AVAILABLE;
    }
    *size = reply.size;
    return TEE_SUCCESS;
}

static TEE_Result write_blob(void *context, const uint8_t name[SZ_STORAGE_NAME_SIZE], const uint8_t *blob,
                             size_t size)
{
    struct sz_wire_storage_reply reply;

    (void)context;
    return ask(SZ_WIRE_WRITE, name, blob, size, &reply);
}

static TEE_Result remove_blob(void *context, const uint8_t name[SZ_STORAGE_NAME_SIZE])
{
    struct sz_wire_storage_reply reply;

    (void)context;
    return ask(SZ_WIRE_REMOVE, name, NULL, 0, &reply);
}

void sz_storage_remote(struct sz_storage_backend *backend)
{
    *backend = (struct sz_storage_backend){NULL, read_blob, write_blob, remove_blob};
}
