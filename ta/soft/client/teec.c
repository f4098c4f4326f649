/* The TEE Client API over the software TEE's sockets, with the results that OP-TEE's libteec gives. */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "connection.h"
#include "operation.h"

TEEC_Result TEEC_InitializeContext(const char *name, TEEC_Context *context)
{
    (void)name; /* there is one */
    if (!context)
        return TEEC_ERROR_BAD_PARAMETERS;
    context->reserved = 0;
    context->fd = sz_connection_folder();
    return context->fd >= 0 ? TEEC_SUCCESS : TEEC_ERROR_ITEM_NOT_FOUND;
}

void TEEC_FinalizeContext(TEEC_Context *context)
{
    if (!context || context->fd < 0)
        return;
    close(context->fd);
    context->fd = -1;
}

/* One attempt at a session. */
static void open_on(int connection, TEEC_Session *session, TEEC_Operation *operation,
                    struct sz_wire_request *request, struct sz_wire_reply *reply)
{
    struct sz_session *added = sz_session_add(connection, &session->session_id);
    struct sz_prepared prepared;

    memset(reply, 0, sizeof *reply);
    if (!added) {
        close(connection);
        reply->result = TEEC_ERROR_OUT_OF_MEMORY;
        reply->origin = TEEC_ORIGIN_API;
        return;
    }
    pthread_mutex_lock(&added->busy);
    reply->result = sz_operation_prepare(added, operation, request, &prepared);
    reply->origin = TEEC_ORIGIN_API;
    if (reply->result == TEEC_SUCCESS) {
        sz_session_ask(added, request, -1, reply);
        sz_operation_finish(added, operation, reply, &prepared);
    }
    pthread_mutex_unlock(&added->busy);
    if (reply->result != TEEC_SUCCESS)
        sz_session_remove(added);
}

TEEC_Result TEEC_OpenSession(TEEC_Context *context, TEEC_Session *session, const TEEC_UUID *destination,
                             uint32_t connectionMethod, const void *connectionData, TEEC_Operation *operation,
                             uint32_t *returnOrigin)
{
    struct sz_wire_reply reply = {.result = TEEC_ERROR_BAD_PARAMETERS, .origin = TEEC_ORIGIN_API};

    (void)connectionData;
    if (context && session && destination) {
        if (connectionMethod != TEEC_LOGIN_PUBLIC) {
            reply.result = TEEC_ERROR_NOT_SUPPORTED;
        } else {
            /* Twice: a TA that died a moment ago takes the connection with it; the next one is a new
             * instance's. */
            for (int attempt = 0; attempt < 2; attempt++) {
                struct sz_wire_request request = {.kind = SZ_WIRE_OPEN};
                int connection = sz_connection_open(context->fd);

                memcpy(request.uuid, destination, sizeof request.uuid);
                reply.result = TEEC_ERROR_COMMUNICATION;
                reply.origin = TEEC_ORIGIN_COMMS;
                if (connection < 0)
                    break;
                open_on(connection, session, operation, &request, &reply);
                if (reply.result != TEEC_ERROR_TARGET_DEAD)
                    break;
            }
            session->ctx = context;
        }
    }
    if (returnOrigin)
        *returnOrigin = reply.origin;
    return reply.result;
}

void TEEC_CloseSession(TEEC_Session *session)
{
    const struct sz_wire_request request = {.kind = SZ_WIRE_CLOSE};
    struct sz_session *open = session ? sz_session_find(session->session_id) : NULL;
    struct sz_wire_reply reply;

    if (!open)
        return;
    pthread_mutex_lock(&open->busy);
    sz_session_ask(open, &request, -1, &reply);
    pthread_mutex_unlock(&open->busy);
    sz_session_remove(open);
    session->session_id = 0;
}

TEEC_Result TEEC_InvokeCommand(TEEC_Session *session, uint32_t commandID, TEEC_Operation *operation,
                               uint32_t *returnOrigin)
{
    struct sz_session *open = session ? sz_session_find(session->session_id) : NULL;
    struct sz_wire_request request = {.kind = SZ_WIRE_INVOKE, .command = commandID};
    struct sz_wire_reply reply = {.result = TEEC_ERROR_BAD_PARAMETERS, .origin = TEEC_ORIGIN_API};
    struct sz_prepared prepared;

    if (open) {
        pthread_mutex_lock(&open->busy);
        reply.result = sz_operation_prepare(open, operation, &request, &prepared);
        if (reply.result == TEEC_SUCCESS) {
            sz_session_ask(open, &request, -1, &reply);
            sz_operation_finish(open, operation, &reply, &prepared);
        } else if (reply.result == TEEC_ERROR_TARGET_DEAD) {
            reply.origin = TEEC_ORIGIN_TEE;
        }
        pthread_mutex_unlock(&open->busy);
    }
    if (returnOrigin)
        *returnOrigin = reply.origin;
    return reply.result;
}

void TEEC_RequestCancellation(TEEC_Operation *operation)
{
    (void)operation; /* our TA masks cancellation, as is the default; there is nothing to cancel */
}
