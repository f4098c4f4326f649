#define _GNU_SOURCE
#include "transfer.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr header; /* for alignment */
    char bytes[CMSG_SPACE(sizeof(int))];
};

int sz_send_packet(int socket, const void *message, size_t size, int fd)
{
    struct iovec part = {(void *)(uintptr_t)message, size};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    union control control;
    ssize_t sent;

    if (fd >= 0) {
        struct cmsghdr *header;

        memset(&control, 0, sizeof control);
        packet.msg_control = control.bytes;
        packet.msg_controllen = sizeof control.bytes;
        header = CMSG_FIRSTHDR(&packet);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    do
        sent = sendmsg(socket, &packet, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)size ? 0 : -1;
}

static int take_descriptor(struct msghdr *packet)
{
    int fd = -1;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(packet); header; header = CMSG_NXTHDR(packet, header))
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
            memcpy(&fd, CMSG_DATA(header), sizeof fd); /* room for one was given: more cannot arrive */
    return fd;
}

int sz_receive_packet(int socket, void *message, size_t size, int *fd)
{
    struct iovec part = {message, size};
    union control control;
    struct msghdr packet = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    ssize_t received;
    int attached;

    if (fd)
        *fd = -1;
    do
        received = recvmsg(socket, &packet, MSG_CMSG_CLOEXEC);
    while (received < 0 && errno == EINTR);
    if (received < 0)
        return errno == ECONNRESET ? 0 : -1;
    attached = take_descriptor(&packet);
    if (received == 0 || received != (ssize_t)size || (packet.msg_flags & MSG_TRUNC)) {
        if (attached >= 0)
            close(attached);
        errno = EPROTO;
        return received == 0 ? 0 : -1;
    }
    if (fd)
        *fd = attached;
    else if (attached >= 0)
        close(attached);
    return 1;
}

void sz_refuse(int socket, const void *answer, size_t size)
{
    char unread[4096];

    while (recv(socket, unread, sizeof unread, MSG_DONTWAIT) > 0)
        ;
    sz_send_packet(socket, answer, size, -1);
    close(socket);
}

int sz_blob_send_as(const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    int fd = memfd_create("smart-zone-blob", MFD_CLOEXEC);

    while (fd >= 0 && size) {
        ssize_t n = write(fd, from, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            close(fd);
            return -1;
        }
        from += n;
        size -= (size_t)n;
    }
    return fd;
}

void *sz_blob_receive(int fd, size_t size)
{
    uint8_t *bytes = malloc(size ? size : 1);
    size_t done = 0;

    while (bytes && done < size) {
        ssize_t n = pread(fd, bytes + done, size - done, (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            free(bytes);
            bytes = NULL;
            break;
        }
        done += (size_t)n;
    }
    close(fd);
    return bytes;
}
