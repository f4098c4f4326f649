/* The storage backend of the TA's process: asks the supervisor. Whoever freezes the supervisor makes such a
 * call wait, as a storage call in OP-TEE waits for a dead tee-supplicant, until the client that it is made
 * for is killed; then it fails with 0xffff000c (measured on OP-TEE 4.10). */
#define _GNU_SOURCE
#include "remote_storage.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "session.h"
#include "transfer.h"
#include "wire.h"

/* Waits for the supervisor. 0 when the client gave up first, or the supervisor is gone. */
static int wait_for_reply(void)
{
    struct pollfd polls[2] = {{.fd = SZ_FD_STORAGE, .events = POLLIN},
                              {.fd = sz_client_connection(), .events = 0}};

    for (;;) {
        if (poll(polls, 2, -1) < 0 && errno != EINTR)
            return 0;
        if (polls[0].revents)
            return 1;
        if (polls[1].revents & (POLLHUP | POLLERR))
            return 0;
    }
}

/* Sends a request and receives the reply to it; *fd is what came with it. */
static TEE_Result ask(uint32_t kind, const uint8_t name[SZ_STORAGE_NAME_SIZE], int attached, size_t size,
                      struct sz_wire_storage_reply *reply, int *fd)
{
    static uint32_t last;
    struct sz_wire_storage_request request = {.kind = kind, .number = ++last, .size = (uint32_t)size};

    memcpy(request.name, name, sizeof request.name);
    if (sz_send_packet(SZ_FD_STORAGE, &request, sizeof request, attached) != 0)
        return TEE_ERROR_STORAGE_NOT_AVAILABLE;
    for (;;) {
        if (!wait_for_reply())
            return TEE_ERROR_OUT_OF_MEMORY;
        if (sz_receive_packet(SZ_FD_STORAGE, reply, sizeof *reply, fd) != 1)
            return TEE_ERROR_STORAGE_NOT_AVAILABLE;
        if (reply->number == request.number)
            return reply->result;
        if (*fd >= 0)
            close(*fd);
    }
}

static TEE_Result read_blob(void *context, const uint8_t name[SZ_STORAGE_NAME_SIZE], uint8_t **blob,
                            size_t *size)
{
    struct sz_wire_storage_reply reply;
    int fd = -1;
    TEE_Result result = ask(SZ_WIRE_READ, name, -1, 0, &reply, &fd);

    (void)context;
    if (result != TEE_SUCCESS)
        return result;
    if (fd < 0 || reply.size > SZ_STORAGE_MAX_SIZE)
        return TEE_ERROR_STORAGE_NOT_AVAILABLE;
    *blob = sz_blob_receive(fd, reply.size);
    *size = reply.size;
    return *blob ? TEE_SUCCESS : TEE_ERROR_OUT_OF_MEMORY;
}

static TEE_Result write_blob(void *context, const uint8_t name[SZ_STORAGE_NAME_SIZE], const uint8_t *blob,
                             size_t size)
{
    struct sz_wire_storage_reply reply;
    int attached = sz_blob_send_as(blob, size), fd = -1;
    TEE_Result result;

    (void)context;
    if (attached < 0)
        return TEE_ERROR_OUT_OF_MEMORY;
    result = ask(SZ_WIRE_WRITE, name, attached, size, &reply, &fd);
    close(attached);
    return result;
}

static TEE_Result remove_blob(void *context, const uint8_t name[SZ_STORAGE_NAME_SIZE])
{
    struct sz_wire_storage_reply reply;
    int fd = -1;

    (void)context;
    return ask(SZ_WIRE_REMOVE, name, -1, 0, &reply, &fd);
}

void sz_storage_remote(struct sz_storage_backend *backend)
{
    *backend = (struct sz_storage_backend){NULL, read_blob, write_blob, remove_blob};
}
