/* Whole messages over local sockets. */
#ifndef SZ_TRANSFER_H
#define SZ_TRANSFER_H

#include <stddef.h>

/* Sends one packet, with descriptor `fd` attached unless it is negative. 0, or -1 with errno. Never waits: a
 * receiver that lets packets pile up gets no more (EAGAIN), so that none can stop the others. */
int sz_send_packet(int socket, const void *message, size_t size, int fd);

/* Receives one packet of exactly `size` bytes. *fd (if given) is the attached descriptor or -1; unexpected
 * ones are closed. 1 when received, 0 at the end of the connection, -1 with errno (EPROTO: a packet of
 * another size). */
int sz_receive_packet(int socket, void *message, size_t size, int *fd);

/* Answers a connection whose request will not be served, and closes it. The request is read first: closing
 * with unread data would reset the connection and take the answer with it. */
void sz_refuse(int socket, const void *answer, size_t size);

/* A memfd with `bytes` in it, or -1. */
int sz_blob_send_as(const void *bytes, size_t size);
/* The first `size` bytes of a descriptor, allocated with malloc(), or NULL. Closes it. */
void *sz_blob_receive(int fd, size_t size);

#endif
