#define _GNU_SOURCE
#include "session.h"

#include <string.h>
#include <unistd.h>

#include "transfer.h"

#define SESSIONS 64

static struct sz_session sessions[SESSIONS];
static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;

struct sz_session *sz_session_add(int connection, uint32_t *number)
{
    struct sz_session *added = NULL;

    pthread_mutex_lock(&table);
    for (uint32_t i = 0; i < SESSIONS && !added; i++)
        if (!sessions[i].used) {
            added = &sessions[i];
            memset(added->shared, 0, sizeof added->shared);
            added->used = 1;
            added->fd = connection;
            pthread_mutex_init(&added->busy, NULL);
            *number = i + 1;
        }
    pthread_mutex_unlock(&table);
    return added;
}

struct sz_session *sz_session_find(uint32_t number)
{
    return number >= 1 && number <= SESSIONS && sessions[number - 1].used ? &sessions[number - 1] : NULL;
}

void sz_session_remove(struct sz_session *session)
{
    pthread_mutex_lock(&table);
    if (session->fd >= 0)
        close(session->fd);
    session->fd = -1;
    pthread_mutex_destroy(&session->busy);
    session->used = 0;
    pthread_mutex_unlock(&table);
}

void sz_session_ask(struct sz_session *session, const struct sz_wire_request *request, int fd,
                    struct sz_wire_reply *reply)
{
    if (session->fd >= 0 && sz_send_packet(session->fd, request, sizeof *request, fd) == 0 &&
        sz_receive_packet(session->fd, reply, sizeof *reply, NULL) == 1)
        return;
    if (session->fd >= 0)
        close(session->fd);
    session->fd = -1;
    memset(reply, 0, sizeof *reply);
    reply->result = TEEC_ERROR_TARGET_DEAD;
    reply->origin = TEEC_ORIGIN_TEE;
}

TEEC_Result sz_session_share(struct sz_session *session, const struct sz_memory *memory)
{
    const struct sz_wire_request request = {.kind = SZ_WIRE_SHARE, .memory = memory->id};
    struct sz_wire_reply reply;
    int place = -1;

    for (int i = 0; i < SZ_SESSION_MEMORIES; i++) {
        if (session->shared[i] == memory->id)
            return TEEC_SUCCESS;
        if (session->shared[i] == 0)
            place = i;
    }
    if (place < 0)
        return TEEC_ERROR_OUT_OF_MEMORY;
    sz_session_ask(session, &request, memory->fd, &reply);
    if (reply.result == TEEC_SUCCESS)
        session->shared[place] = memory->id;
    return reply.result;
}

void sz_session_unshare(struct sz_session *session, uint32_t id)
{
    const struct sz_wire_request request = {.kind = SZ_WIRE_UNSHARE, .memory = id};

    for (int i = 0; i < SZ_SESSION_MEMORIES; i++)
        if (session->shared[i] == id) {
            session->shared[i] = 0;
            if (session->fd >= 0)
                sz_send_packet(session->fd, &request, sizeof request, -1);
        }
}

void sz_session_forget_memory(uint32_t id)
{
    pthread_mutex_lock(&table);
    for (int i = 0; i < SESSIONS; i++)
        if (sessions[i].used)
            sz_session_unshare(&sessions[i], id);
    pthread_mutex_unlock(&table);
}
