#ifndef SZ_REMOTE_STORAGE_H
#define SZ_REMOTE_STORAGE_H

#include "internal/storage_backend.h"

/* Storage that the supervisor keeps, asked for over SZ_FD_STORAGE. */
void sz_storage_remote(struct sz_storage_backend *backend);

#endif
