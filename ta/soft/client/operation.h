/* A client's operation (TEEC_Operation) as a request, and the reply back into it. */
#ifndef SZ_CLIENT_OPERATION_H
#define SZ_CLIENT_OPERATION_H

#include "session.h"

struct sz_prepared {
    struct sz_memory temporary[TEEC_CONFIG_PAYLOAD_REF_COUNT]; /* id 0: none */
};

/* With the session's `busy` held. On failure nothing is left shared. */
TEEC_Result sz_operation_prepare(struct sz_session *session, TEEC_Operation *operation,
                                 struct sz_wire_request *request, struct sz_prepared *prepared);
void sz_operation_finish(struct sz_session *session, TEEC_Operation *operation,
                         const struct sz_wire_reply *reply, struct sz_prepared *prepared);

#endif
