/* What OP-TEE's loader reads in the TA's header, and what the software TEE takes for the same. Sizes can be
 * set when building: TA_DATA_SIZE_KIB=... TA_STACK_SIZE_KIB=... */
#ifndef USER_TA_HEADER_DEFINES_H
#define USER_TA_HEADER_DEFINES_H

#include "sz_codes.h"

#define TA_UUID SZ_TA_UUID

#define TA_FLAGS (TA_FLAG_SINGLE_INSTANCE | TA_FLAG_MULTI_SESSION | TA_FLAG_INSTANCE_KEEP_ALIVE)

/* OP-TEE's port for the Pi 3 sets 8 MiB aside for all TAs (TZDRAM 15 MiB, core 7 MiB; not measured on one):
 * 7 MiB of heap leave 960 KiB for code and OP-TEE's loader. */
#ifndef TA_DATA_SIZE_KIB
#define TA_DATA_SIZE_KIB 7168
#endif
#ifndef TA_STACK_SIZE_KIB
#define TA_STACK_SIZE_KIB 64
#endif
#define TA_DATA_SIZE (TA_DATA_SIZE_KIB * 1024)
#define TA_STACK_SIZE (TA_STACK_SIZE_KIB * 1024)

#define TA_VERSION SZ_TA_VERSION
#define TA_DESCRIPTION "smart-zone: neural networks on sealed frames"

#endif
