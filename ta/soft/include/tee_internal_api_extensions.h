/* The one extension of OP-TEE's libutee that the TA may use: a hint of TEE_Malloc for memory that is written
 * in full before it is read (weights, arenas), left as it is instead of filled with zeros. */
#ifndef TEE_INTERNAL_API_EXTENSIONS_H
#define TEE_INTERNAL_API_EXTENSIONS_H

#define TEE_USER_MEM_HINT_NO_FILL_ZERO 0x80000000

#endif
