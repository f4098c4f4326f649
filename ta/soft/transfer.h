/* Whole messages over local sockets. */
#ifndef SZ_TRANSFER_H
#define SZ_TRANSFER_H

#include <stddef.h>

/* Sends one packet, with descriptor `fd` attached unless it is negative. 0, or -1 with errno. */
int sz_send_packet(int socket, const void *message, size_t size, int fd);

/* Receives one packet of exactly `size` bytes. *fd (if given) is the attached descriptor or -1; unexpected
 * ones are closed. 1 when received, 0 at the end of the connection, -1 with errno (EPROTO: a packet of
 * another size). */
int sz_receive_packet(int socket, void *message, size_t size, int *fd);

/* A memfd with `bytes` in it, or -1. */
int sz_blob_send_as(const void *bytes, size_t size);
/* The first `size` bytes of a descriptor, allocated with malloc(), or NULL. Closes it. */
void *sz_blob_receive(int fd, size_t size);

#endif
