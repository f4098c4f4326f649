/* A client that does not keep to the rules of wire.h, straight on the socket: hostile_client FOLDER.
 * Everything must be refused or cut off, and a well-behaved session beside it must not notice. Prints what
 * was wrong, ends with 1. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "internal/tee.h"
#include "sz_codes.h"
#include "test_ta.h"
#include "transfer.h"
#include "wire.h"

static const TEE_UUID uuid = SZ_TA_UUID;
static int failures;

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            failures++;                                                                                      \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                  \
        }                                                                                                    \
    } while (0)

static int reach(void)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SZ_SOCKET_NAME};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        perror(SZ_SOCKET_NAME);
        exit(1);
    }
    return fd;
}

/* The result, or 1 when the connection was cut. */
static uint32_t ask(int fd, const struct sz_wire_request *request, int attached)
{
    struct sz_wire_reply reply;

    if (sz_send_packet(fd, request, sizeof *request, attached) != 0 ||
        sz_receive_packet(fd, &reply, sizeof reply, NULL) != 1)
        return 1;
    return reply.result;
}

static int open_session(void)
{
    struct sz_wire_request request = {.kind = SZ_WIRE_OPEN};
    int fd = reach();

    memcpy(request.uuid, &uuid, sizeof uuid);
    if (ask(fd, &request, -1) != TEE_SUCCESS) {
        fprintf(stderr, "no session\n");
        exit(1);
    }
    return fd;
}

static uint32_t share(int fd, uint32_t id, off_t size, int seals)
{
    const struct sz_wire_request request = {.kind = SZ_WIRE_SHARE, .memory = id};
    int memory = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    uint32_t result;

    CHECK(memory >= 0 && ftruncate(memory, size) == 0 && (!seals || fcntl(memory, F_ADD_SEALS, seals) == 0));
    result = ask(fd, &request, memory);
    close(memory);
    return result;
}

static struct sz_wire_request echo(uint64_t memory, uint64_t offset, uint64_t size)
{
    struct sz_wire_request request = {.kind = SZ_WIRE_INVOKE, .command = TEST_ECHO};

    request.types = TEE_PARAM_TYPES(TEE_PARAM_TYPE_MEMREF_INPUT, TEE_PARAM_TYPE_MEMREF_OUTPUT,
                                    TEE_PARAM_TYPE_VALUE_INOUT, TEE_PARAM_TYPE_VALUE_OUTPUT);
    for (int i = 0; i < 2; i++) {
        request.params[i].a = memory;
        request.params[i].b = offset;
        request.params[i].c = size;
    }
    return request;
}

static void out_of_bounds(void)
{
    static const struct {
        uint64_t memory, offset, size;
    } wrong[] = {
        {7, 0, 4097},       {7, 4096, 1},       {7, 1, 4096},
        {7, UINT64_MAX, 2}, {7, 2, UINT64_MAX}, {7, UINT64_MAX - 1, UINT64_MAX},
        {8, 0, 1},          {0, 0, 1},          {(uint64_t)7 << 32 | 7, 0, 1},
    };
    int fd = open_session();
    struct sz_wire_request request;

    CHECK(share(fd, 7, 4096, F_SEAL_SHRINK) == TEE_SUCCESS);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        request = echo(wrong[i].memory, wrong[i].offset, wrong[i].size);
        CHECK(ask(fd, &request, -1) == TEE_ERROR_BAD_PARAMETERS);
    }
    request = echo(7, 0, 4096);
    CHECK(ask(fd, &request, -1) == TEE_SUCCESS);
    request.types = 0xffffffff;
    CHECK(ask(fd, &request, -1) == TEE_ERROR_BAD_PARAMETERS);
    close(fd);
}

static void shared_memory(void)
{
    const struct sz_wire_request nothing = {.kind = SZ_WIRE_SHARE, .memory = 3};
    int fd = open_session(), device = open("/dev/null", O_RDWR | O_CLOEXEC);
    uint32_t id = 1;

    CHECK(share(fd, 3, 4096, 0) == TEE_ERROR_BAD_PARAMETERS); /* could shrink under the TA */
    CHECK(share(fd, 3, 0, F_SEAL_SHRINK) == TEE_ERROR_BAD_PARAMETERS);
    CHECK(share(fd, 0, 4096, F_SEAL_SHRINK) == TEE_ERROR_BAD_PARAMETERS);
    CHECK(share(fd, 3, (off_t)1 << 40, F_SEAL_SHRINK) == TEE_ERROR_BAD_PARAMETERS);
    CHECK(ask(fd, &nothing, -1) == TEE_ERROR_BAD_PARAMETERS);
    CHECK(ask(fd, &nothing, device) == TEE_ERROR_BAD_PARAMETERS);
    CHECK(share(fd, 3, 4096, F_SEAL_SHRINK) == TEE_SUCCESS);
    CHECK(share(fd, 3, 4096, F_SEAL_SHRINK) == TEE_ERROR_BAD_PARAMETERS); /* taken */
    while (share(fd, 100 + id, 4096, F_SEAL_SHRINK) == TEE_SUCCESS && id < 1000)
        id++;
    CHECK(id < 20);
    close(device);
    close(fd);
}

static void order_and_form(void)
{
    struct sz_wire_request request = echo(1, 0, 0);
    int fd = reach();
    struct sz_wire_reply reply;
    int device = open("/dev/null", O_RDWR | O_CLOEXEC);

    CHECK(ask(fd, &request, -1) == TEE_ERROR_BAD_STATE); /* no session yet */
    request.kind = 77;
    CHECK(ask(fd, &request, -1) == TEE_ERROR_BAD_FORMAT);
    request.kind = SZ_WIRE_INVOKE;
    CHECK(ask(fd, &request, device) == TEE_ERROR_BAD_FORMAT); /* a descriptor that nobody asked for */
    CHECK(send(fd, &request, sizeof request - 1, MSG_NOSIGNAL) > 0);
    CHECK(sz_receive_packet(fd, &reply, sizeof reply, NULL) == 0); /* cut off */
    close(fd);

    fd = open_session();
    request.kind = SZ_WIRE_OPEN;
    CHECK(ask(fd, &request, -1) == TEE_ERROR_BAD_STATE); /* a second one on the same connection */
    close(fd);
    close(device);
}

/* Asks and asks without reading an answer. */
static void deaf(void)
{
    struct sz_wire_request request = {.kind = SZ_WIRE_INVOKE, .command = 99};
    int fd = open_session();

    for (int i = 0; i < 100000; i++)
        if (sz_send_packet(fd, &request, sizeof request, -1) != 0) {
            if (errno != EAGAIN)
                break; /* cut off */
            usleep(100);
        }
    close(fd);
}

static void noise(void)
{
    uint32_t seed = 1;

    for (int round = 0; round < 200; round++) {
        struct sz_wire_request request;
        int fd = open_session();

        for (int i = 0; i < 50; i++) {
            uint8_t *bytes = (uint8_t *)&request;

            for (size_t j = 0; j < sizeof request; j++)
                bytes[j] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
            request.kind %= 8;
            request.command = TEST_EMPTY + request.command % 2; /* the test TA's other commands end it */
            if (sz_send_packet(fd, &request, sizeof request, -1) != 0 && errno != EAGAIN)
                break;
        }
        close(fd);
    }
}

static void too_many(void)
{
    struct sz_wire_request request = {.kind = SZ_WIRE_OPEN};
    int sessions[40], count = 0;
    uint32_t result = TEE_SUCCESS;

    memcpy(request.uuid, &uuid, sizeof uuid);
    while (count < 40 && result == TEE_SUCCESS) {
        sessions[count] = reach();
        result = ask(sessions[count++], &request, -1);
    }
    CHECK(count > 8 && count < 40 && result == TEE_ERROR_OUT_OF_MEMORY);
    while (count--)
        close(sessions[count]);
}

int main(int argc, char **argv)
{
    struct sz_wire_request request = echo(7, 0, 100);
    int good;

    if (argc != 2 || chdir(argv[1]) != 0)
        return 64;
    good = open_session();
    CHECK(share(good, 7, 4096, F_SEAL_SHRINK) == TEE_SUCCESS);
    out_of_bounds();
    shared_memory();
    order_and_form();
    too_many();
    deaf();
    noise();
    CHECK(ask(good, &request, -1) == TEE_SUCCESS);
    close(good);
    printf("hostile client: %d failures\n", failures);
    return failures != 0;
}
