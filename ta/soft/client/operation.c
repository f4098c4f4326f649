#define _GNU_SOURCE
#include "operation.h"

#include <string.h>

#define INPUT 1u
#define OUTPUT 2u

/* Direction of a memory reference as the internal API's parameter type (5, 6, 7). */
static uint32_t memref_type(uint32_t direction)
{
    return 4u + direction;
}

static TEEC_Result add(struct sz_session *session, struct sz_wire_request *request, uint32_t i,
                       const struct sz_memory *memory, uint32_t direction, size_t offset, size_t size)
{
    TEEC_Result result = sz_session_share(session, memory);

    request->types |= memref_type(direction) << (4 * i);
    request->params[i].a = memory->id;
    request->params[i].b = offset;
    request->params[i].c = size;
    return result;
}

static TEEC_Result prepare_temporary(struct sz_session *session, const TEEC_TempMemoryReference *reference,
                                     uint32_t direction, struct sz_wire_request *request, uint32_t i,
                                     struct sz_memory *temporary)
{
    if (!reference->buffer && reference->size)
        return TEEC_ERROR_BAD_PARAMETERS;
    if (sz_memory_make(temporary, reference->size) != 0) {
        temporary->id = 0;
        return TEEC_ERROR_OUT_OF_MEMORY;
    }
    if ((direction & INPUT) && reference->size)
        memcpy(temporary->mapping, reference->buffer, reference->size);
    return add(session, request, i, temporary, direction, 0, reference->size);
}

static TEEC_Result prepare_shared(struct sz_session *session, const TEEC_RegisteredMemoryReference *reference,
                                  uint32_t direction, size_t offset, size_t size,
                                  struct sz_wire_request *request, uint32_t i)
{
    const TEEC_SharedMemory *parent = reference->parent;
    struct sz_memory memory;

    if (!parent || !parent->id || (parent->flags & direction) != direction || offset > parent->size ||
        size > parent->size - offset)
        return TEEC_ERROR_BAD_PARAMETERS;
    memory = sz_memory_of(parent);
    if (sz_memory_has_shadow(parent) && (direction & INPUT) && size)
        memcpy((uint8_t *)memory.mapping + offset, (const uint8_t *)parent->buffer + offset, size);
    return add(session, request, i, &memory, direction, offset, size);
}

static TEEC_Result prepare_one(struct sz_session *session, TEEC_Parameter *parameter, uint32_t type,
                               struct sz_wire_request *request, uint32_t i, struct sz_prepared *prepared)
{
    switch (type) {
    case TEEC_NONE:
        return TEEC_SUCCESS;
    case TEEC_VALUE_INPUT:
    case TEEC_VALUE_OUTPUT:
    case TEEC_VALUE_INOUT:
        request->types |= type << (4 * i);
        if (type & INPUT) {
            request->params[i].a = parameter->value.a;
            request->params[i].b = parameter->value.b;
        }
        return TEEC_SUCCESS;
    case TEEC_MEMREF_TEMP_INPUT:
    case TEEC_MEMREF_TEMP_OUTPUT:
    case TEEC_MEMREF_TEMP_INOUT:
        return prepare_temporary(session, &parameter->tmpref, type & 3u, request, i, &prepared->temporary[i]);
    case TEEC_MEMREF_WHOLE:
        if (!parameter->memref.parent)
            return TEEC_ERROR_BAD_PARAMETERS;
        return prepare_shared(session, &parameter->memref, parameter->memref.parent->flags & 3u, 0,
                              parameter->memref.parent->size, request, i);
    case TEEC_MEMREF_PARTIAL_INPUT:
    case TEEC_MEMREF_PARTIAL_OUTPUT:
    case TEEC_MEMREF_PARTIAL_INOUT:
        return prepare_shared(session, &parameter->memref, type & 3u, parameter->memref.offset,
                              parameter->memref.size, request, i);
    default:
        return TEEC_ERROR_BAD_PARAMETERS;
    }
}

static void drop_temporaries(struct sz_session *session, struct sz_prepared *prepared)
{
    for (int i = 0; i < TEEC_CONFIG_PAYLOAD_REF_COUNT; i++)
        if (prepared->temporary[i].id) {
            sz_session_unshare(session, prepared->temporary[i].id);
            sz_memory_free(&prepared->temporary[i]);
        }
}

TEEC_Result sz_operation_prepare(struct sz_session *session, TEEC_Operation *operation,
                                 struct sz_wire_request *request, struct sz_prepared *prepared)
{
    TEEC_Result result = TEEC_SUCCESS;

    memset(prepared, 0, sizeof *prepared);
    for (uint32_t i = 0; operation && i < TEEC_CONFIG_PAYLOAD_REF_COUNT && result == TEEC_SUCCESS; i++)
        result = prepare_one(session, &operation->params[i], TEEC_PARAM_TYPE_GET(operation->paramTypes, i),
                             request, i, prepared);
    if (result != TEEC_SUCCESS)
        drop_temporaries(session, prepared);
    return result;
}

/* The size the TA gave back, which may be more than there is room for: then it says what is needed. */
static void finish_memref(TEEC_Parameter *parameter, uint32_t type, uint64_t size,
                          const struct sz_memory *temporary)
{
    if (temporary->id) {
        if ((type & OUTPUT) && size && size <= parameter->tmpref.size)
            memcpy(parameter->tmpref.buffer, temporary->mapping, size);
        if (type & OUTPUT)
            parameter->tmpref.size = size;
        return;
    }
    if (type == TEEC_MEMREF_WHOLE ? !(parameter->memref.parent->flags & TEEC_MEM_OUTPUT) : !(type & OUTPUT))
        return;
    if (sz_memory_has_shadow(parameter->memref.parent)) {
        const TEEC_SharedMemory *parent = parameter->memref.parent;
        size_t offset = type == TEEC_MEMREF_WHOLE ? 0 : parameter->memref.offset;

        if (size && size <= parent->size - offset)
            memcpy((uint8_t *)parent->buffer + offset, (const uint8_t *)parent->shadow + offset, size);
    }
    parameter->memref.size = size;
}

void sz_operation_finish(struct sz_session *session, TEEC_Operation *operation,
                         const struct sz_wire_reply *reply, struct sz_prepared *prepared)
{
    int answered = reply->origin == TEEC_ORIGIN_TRUSTED_APP;

    for (uint32_t i = 0; operation && answered && i < TEEC_CONFIG_PAYLOAD_REF_COUNT; i++) {
        uint32_t type = TEEC_PARAM_TYPE_GET(operation->paramTypes, i);
        TEEC_Parameter *parameter = &operation->params[i];

        if ((type == TEEC_VALUE_OUTPUT || type == TEEC_VALUE_INOUT) && reply->result == TEEC_SUCCESS) {
            parameter->value.a = reply->params[i].a;
            parameter->value.b = reply->params[i].b;
        } else if (type > TEEC_VALUE_INOUT) {
            finish_memref(parameter, type, reply->params[i].size, &prepared->temporary[i]);
        }
    }
    drop_temporaries(session, prepared);
}
