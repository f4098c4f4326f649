/* Types of the GlobalPlatform TEE Internal Core API (GPD_SPE_010 v1.3.1) that the TA uses, laid out as
 * OP-TEE 4.x lays them out. Only what our TA needs is here: what is missing from this header is meant not to
 * be used. */
#ifndef TEE_API_TYPES_H
#define TEE_API_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t TEE_Result;

typedef struct {
    uint32_t timeLow;
    uint16_t timeMid;
    uint16_t timeHiAndVersion;
    uint8_t clockSeqAndNode[8];
} TEE_UUID;

typedef struct {
    uint32_t login;
    TEE_UUID uuid;
} TEE_Identity;

/* One parameter of an entry point; paramTypes says which member holds. */
typedef union {
    struct {
        void *buffer;
        size_t size;
    } memref;
    struct {
        uint32_t a;
        uint32_t b;
    } value;
} TEE_Param;

typedef struct __TEE_TASessionHandle *TEE_TASessionHandle;
typedef struct __TEE_PropSetHandle *TEE_PropSetHandle;
typedef struct __TEE_ObjectHandle *TEE_ObjectHandle;
typedef struct __TEE_OperationHandle *TEE_OperationHandle;

typedef uint32_t TEE_ObjectType;
typedef uint32_t TEE_Whence;
typedef uint32_t TEE_OperationMode;

typedef struct {
    uint32_t objectType;
    uint32_t objectSize;    /* bits of the key held, 0 while uninitialised */
    uint32_t maxObjectSize; /* bits */
    uint32_t objectUsage;
    size_t dataSize;     /* bytes of a persistent object's data stream */
    size_t dataPosition; /* bytes */
    uint32_t handleFlags;
} TEE_ObjectInfo;

typedef struct {
    uint32_t attributeID;
    union {
        struct {
            void *buffer;
            size_t length;
        } ref;
        struct {
            uint32_t a, b;
        } value;
    } content;
} TEE_Attribute;

typedef struct {
    uint32_t algorithm;
    uint32_t operationClass;
    uint32_t mode;
    uint32_t digestLength;
    uint32_t maxKeySize;
    uint32_t keySize;
    uint32_t requiredKeyUsage;
    uint32_t handleState;
} TEE_OperationInfo;

typedef struct {
    uint32_t seconds;
    uint32_t millis;
} TEE_Time;

#endif
