/* Identifiers that bind a model package to this product (SUIT vendor and class identifiers, RFC 9562 UUIDs).
 * protocol/product.ts has the same bytes; test/protocol/product.test.ts compares them. */
#ifndef SZ_PRODUCT_H
#define SZ_PRODUCT_H

#define SZ_VENDOR_ID                                                                                         \
    {                                                                                                        \
        0x5f, 0x2a, 0x9f, 0x0e, 0x6a, 0x4b, 0x5a, 0x5c, 0x8f, 0x0e, 0x2c, 0x8b, 0x7d, 0x1e, 0x4a, 0x10       \
    }
#define SZ_CLASS_ID                                                                                          \
    {                                                                                                        \
        0x0b, 0x1d, 0x6c, 0x52, 0x3f, 0x7e, 0x5d, 0x0a, 0x9c, 0x41, 0x7a, 0x9e, 0x5b, 0x2f, 0x6d, 0x33       \
    }

#endif
