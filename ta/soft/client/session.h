/* Open sessions of this process: one connection each, one request at a time on it. */
#ifndef SZ_CLIENT_SESSION_H
#define SZ_CLIENT_SESSION_H

#include <pthread.h>

#include "memory.h"
#include "wire.h"

#define SZ_SESSION_MEMORIES 8

struct sz_session {
    int used;
    int fd;                               /* -1 after the TA died */
    pthread_mutex_t busy;                 /* held for a request and its reply */
    uint32_t shared[SZ_SESSION_MEMORIES]; /* memories that the TA has mapped */
};

/* A session on `connection`; its number is for TEEC_Session. NULL when there are too many. */
struct sz_session *sz_session_add(int connection, uint32_t *number);
struct sz_session *sz_session_find(uint32_t number);
void sz_session_remove(struct sz_session *session);

/* With `busy` held: sends a request, receives the reply. A dead TA answers TEEC_ERROR_TARGET_DEAD. */
void sz_session_ask(struct sz_session *session, const struct sz_wire_request *request, int fd,
                    struct sz_wire_reply *reply);

/* With `busy` held: makes sure that the TA has mapped `memory`. */
TEEC_Result sz_session_share(struct sz_session *session, const struct sz_memory *memory);
void sz_session_unshare(struct sz_session *session, uint32_t id);

/* In all sessions, before the memory goes. */
void sz_session_forget_memory(uint32_t id);

#endif
