#define _GNU_SOURCE
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "internal/tee.h"
#include "shared_memory.h"
#include "transfer.h"
#include "wire.h"

#define SESSIONS 16u
#define AWAKE_MICROSECONDS 60

struct session {
    int fd; /* -1: free */
    int open;
    void *context; /* the TA's */
    struct sz_share shares[SZ_SHARES_PER_SESSION];
};

static struct session sessions[SESSIONS];
static const struct sz_budget *budget;
static int created;
static int working_for = -1;

int sz_client_connection(void)
{
    return working_for;
}

/* Memory that a client shares is nobody's own: OP-TEE refuses it without TEE_MEMORY_ACCESS_ANY_OWNER. */
TEE_Result TEE_CheckMemoryAccessRights(uint32_t accessFlags, void *buffer, size_t size)
{
    uintptr_t from = (uintptr_t)buffer, to = from + size;

    if (to < from || (!buffer && size))
        return TEE_ERROR_ACCESS_DENIED;
    if (size == 0 || (accessFlags & TEE_MEMORY_ACCESS_ANY_OWNER))
        return TEE_SUCCESS;
    for (size_t s = 0; s < SESSIONS; s++)
        for (size_t i = 0; i < SZ_SHARES_PER_SESSION; i++) {
            uintptr_t memory = (uintptr_t)sessions[s].shares[i].memory;

            if (sessions[s].shares[i].id && from < memory + sessions[s].shares[i].size && memory < to)
                return TEE_ERROR_ACCESS_DENIED;
        }
    return TEE_SUCCESS;
}

static int is_memref(uint32_t type)
{
    return type == TEE_PARAM_TYPE_MEMREF_INPUT || type == TEE_PARAM_TYPE_MEMREF_OUTPUT ||
           type == TEE_PARAM_TYPE_MEMREF_INOUT;
}

/* Parameters of the TA's entry point from a request. The request itself was copied from the socket: it cannot
 * change. */
static TEE_Result take_params(const struct session *session, const struct sz_wire_request *request,
                              TEE_Param params[TEE_NUM_PARAMS])
{
    struct sz_memref_span spans[TEE_NUM_PARAMS];
    size_t count = 0;

    memset(params, 0, TEE_NUM_PARAMS * sizeof params[0]);
    for (uint32_t i = 0; i < TEE_NUM_PARAMS; i++) {
        uint32_t type = TEE_PARAM_TYPE_GET(request->types, i);

        if (type == TEE_PARAM_TYPE_VALUE_INPUT || type == TEE_PARAM_TYPE_VALUE_INOUT) {
            params[i].value.a = (uint32_t)request->params[i].a;
            params[i].value.b = (uint32_t)request->params[i].b;
        } else if (is_memref(type)) {
            const struct sz_share *share = sz_share_find(session->shares, request->params[i].a);
            uint64_t offset = request->params[i].b, size = request->params[i].c;

            if (!share || offset > share->size || size > share->size - offset)
                return TEE_ERROR_BAD_PARAMETERS;
            /* OP-TEE maps nothing for an empty memref: its buffer is NULL */
            params[i].memref.buffer = size ? share->memory + offset : NULL;
            params[i].memref.size = size;
            spans[count++] = (struct sz_memref_span){(size_t)(share - session->shares), offset, size};
        } else if (type != TEE_PARAM_TYPE_NONE && type != TEE_PARAM_TYPE_VALUE_OUTPUT) {
            return TEE_ERROR_BAD_PARAMETERS;
        }
    }
    return sz_budget_maps(budget, spans, count) ? TEE_SUCCESS : TEE_ERROR_OUT_OF_MEMORY;
}

/* Output parameters are defined only on success, sizes also when a buffer was too short. */
static void give_params(uint32_t types, const TEE_Param params[TEE_NUM_PARAMS], struct sz_wire_reply *reply)
{
    for (uint32_t i = 0; i < TEE_NUM_PARAMS; i++) {
        uint32_t type = TEE_PARAM_TYPE_GET(types, i);

        if (is_memref(type))
            reply->params[i].size = params[i].memref.size;
        else if (reply->result == TEE_SUCCESS) {
            reply->params[i].a = params[i].value.a;
            reply->params[i].b = params[i].value.b;
        }
    }
}

static void open_session(struct session *session, const struct sz_wire_request *request,
                         struct sz_wire_reply *reply)
{
    TEE_Param params[TEE_NUM_PARAMS];

    if (session->open) {
        reply->result = TEE_ERROR_BAD_STATE;
        return;
    }
    if (memcmp(request->uuid, &sz_tee()->config.uuid, sizeof request->uuid) != 0) {
        reply->result = TEE_ERROR_ITEM_NOT_FOUND;
        return;
    }
    reply->result = take_params(session, request, params);
    if (reply->result != TEE_SUCCESS)
        return;
    if (!created) {
        reply->result = TA_CreateEntryPoint();
        if (reply->result != TEE_SUCCESS)
            return;
        created = 1;
    }
    reply->origin = TEE_ORIGIN_TRUSTED_APP;
    reply->result = TA_OpenSessionEntryPoint(request->types, params, &session->context);
    session->open = reply->result == TEE_SUCCESS;
    give_params(request->types, params, reply);
}

static void invoke(struct session *session, const struct sz_wire_request *request,
                   struct sz_wire_reply *reply)
{
    TEE_Param params[TEE_NUM_PARAMS];

    if (!session->open) {
        reply->result = TEE_ERROR_BAD_STATE;
        return;
    }
    reply->result = take_params(session, request, params);
    if (reply->result != TEE_SUCCESS)
        return;
    reply->origin = TEE_ORIGIN_TRUSTED_APP;
    reply->result = TA_InvokeCommandEntryPoint(session->context, request->command, request->types, params);
    give_params(request->types, params, reply);
}

static void close_session(struct session *session)
{
    if (session->open)
        TA_CloseSessionEntryPoint(session->context);
    session->open = 0;
    session->context = NULL;
    sz_share_remove_all(session->shares);
}

static void drop(struct session *session)
{
    close_session(session);
    close(session->fd);
    session->fd = -1;
}

/* Takes one request from a connection and answers it. */
static void serve_one(struct session *session)
{
    struct sz_wire_request request;
    struct sz_wire_reply reply;
    int fd = -1;

    if (sz_receive_packet(session->fd, &request, sizeof request, &fd) != 1) {
        drop(session);
        return;
    }
    memset(&reply, 0, sizeof reply);
    reply.origin = TEE_ORIGIN_TEE;
    if (fd >= 0 && request.kind != SZ_WIRE_SHARE) {
        close(fd);
        request.kind = 0;
    }
    working_for = session->fd;
    switch (request.kind) {
    case SZ_WIRE_OPEN:
        open_session(session, &request, &reply);
        break;
    case SZ_WIRE_INVOKE:
        invoke(session, &request, &reply);
        break;
    case SZ_WIRE_SHARE:
        reply.result = sz_share_add(session->shares, request.memory, fd);
        break;
    case SZ_WIRE_UNSHARE:
        sz_share_remove(session->shares, request.memory);
        break;
    case SZ_WIRE_CLOSE:
        close_session(session);
        break;
    default:
        reply.result = TEE_ERROR_BAD_FORMAT;
    }
    working_for = -1;
    if (request.kind != SZ_WIRE_UNSHARE && sz_send_packet(session->fd, &reply, sizeof reply, -1) != 0)
        drop(session);
}

/* The supervisor passes on a connection. 0 when the supervisor is gone. */
static int take_connection(void)
{
    const struct sz_wire_reply full = {.result = TEE_ERROR_OUT_OF_MEMORY, .origin = TEE_ORIGIN_TEE};
    char mark;
    int fd;

    if (sz_receive_packet(SZ_FD_CONTROL, &mark, sizeof mark, &fd) != 1)
        return 0;
    if (fd < 0)
        return 1;
    for (size_t i = 0; i < SESSIONS; i++)
        if (sessions[i].fd < 0) {
            sessions[i].fd = fd;
            return 1;
        }
    sz_refuse(fd, &full, sizeof full);
    return 1;
}

static int64_t microseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* To wake a process on another core takes longer than OP-TEE's change of worlds. So the TA stays awake for a
 * moment after it served somebody, for whom goes on at once; whoever else has work to do goes first. */
static int wait_for_work(struct pollfd *polls, nfds_t count, int served)
{
    if (served) {
        const int64_t end = microseconds() + AWAKE_MICROSECONDS;

        do {
            int ready = poll(polls, count, 0);

            if (ready != 0)
                return ready;
            sched_yield();
        } while (microseconds() < end);
    }
    return poll(polls, count, -1);
}

void sz_serve(const struct sz_budget *with)
{
    struct pollfd polls[SESSIONS + 1];
    int served = 0;

    budget = with;
    for (size_t i = 0; i < SESSIONS; i++)
        sessions[i].fd = -1;
    for (;;) {
        polls[SESSIONS] = (struct pollfd){.fd = SZ_FD_CONTROL, .events = POLLIN};
        for (size_t i = 0; i < SESSIONS; i++)
            polls[i] = (struct pollfd){.fd = sessions[i].fd, .events = POLLIN};
        if (wait_for_work(polls, SESSIONS + 1, served) < 0) {
            if (errno == EINTR)
                continue;
            break;
        }
        served = 0;
        for (size_t i = 0; i < SESSIONS; i++)
            if (polls[i].revents && sessions[i].fd >= 0) {
                serve_one(&sessions[i]);
                served = 1;
            }
        if (polls[SESSIONS].revents && !take_connection())
            break;
    }
    for (size_t i = 0; i < SESSIONS; i++)
        if (sessions[i].fd >= 0)
            drop(&sessions[i]);
    if (created)
        TA_DestroyEntryPoint();
}
