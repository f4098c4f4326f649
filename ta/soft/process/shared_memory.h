/* Memory that a client shares with the TA: mapped from the client's memfd, so that both see the same bytes at
 * the same time. Its content is hostile; its size is not: the client must have sealed it. */
#ifndef SZ_SHARED_MEMORY_H
#define SZ_SHARED_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "tee_internal_api.h"

#define SZ_SHARES_PER_SESSION 8u
#define SZ_SHARE_MAX ((size_t)64 << 20)

struct sz_share {
    uint32_t id; /* the client's; 0: free */
    uint8_t *memory;
    size_t size;
};

/* Takes over `fd`. */
TEE_Result sz_share_add(struct sz_share shares[SZ_SHARES_PER_SESSION], uint32_t id, int fd);
void sz_share_remove(struct sz_share shares[SZ_SHARES_PER_SESSION], uint32_t id);
void sz_share_remove_all(struct sz_share shares[SZ_SHARES_PER_SESSION]);
const struct sz_share *sz_share_find(const struct sz_share shares[SZ_SHARES_PER_SESSION], uint64_t id);

#endif
