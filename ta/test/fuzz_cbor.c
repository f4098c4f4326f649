/* CBOR: whatever sz_cbor_check() accepts is one item that every reader walks the same way, and that is the
 * same when written again. */
#include "fuzz.h"
#include "trust/cbor_read.h"
#include "trust_cbor_rewrite.h"

#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const seeds[] = {
        "\xa2\x01\x48"
        "abcdefgh"
        "\x02\x82\x18\x64\x20",
        "\xd2\x84\x43\xa1\x01\x27\xa0\x44test\x41s",
        "\xa1\x63key\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a",
        "\x84\xf4\xf5\xf6\xf9\x3c\x01",
        "\xd8\x60\x83\x1a\x01\x02\x03\x04\x1b\x01\x02\x03\x04\x05\x06\x07\x08\x39\x01\x01",
    };
    (void)argc;
    (void)argv;
    for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++) {
        fuzz_seed(NULL, 0, (const uint8_t *)seeds[i], strlen(seeds[i]));
    }
    return 0;
}

/* Every getter on the same bytes: each moves only when it succeeds, and never past the end. */
static void call_getters(struct sz_bytes bytes)
{
    for (int getter = 0; getter < 15; getter++) {
        struct sz_cbor_reader r = sz_cbor_reader(bytes);
        struct sz_bytes view = {NULL, 0};
        for (int round = 0; round < 3; round++) {
            switch (getter) {
            case 0:
                (void)sz_cbor_uint(&r);
                break;
            case 1:
                (void)sz_cbor_int(&r);
                break;
            case 2:
                view = sz_cbor_bstr(&r);
                break;
            case 3:
                view = sz_cbor_tstr(&r);
                break;
            case 4:
                (void)sz_cbor_nint(&r);
                break;
            case 5:
                sz_cbor_simple(&r);
                break;
            case 6:
                (void)sz_cbor_bool(&r);
                break;
            case 7:
                (void)sz_cbor_null_or_not(&r);
                break;
            case 8:
                (void)sz_cbor_float(&r);
                break;
            case 9:
                (void)sz_cbor_tag(&r);
                break;
            case 10:
                FUZZ_CHECK(sz_cbor_array(&r) <= bytes.length);
                break;
            case 11:
                FUZZ_CHECK(sz_cbor_map(&r) <= bytes.length);
                break;
            case 12:
                (void)sz_cbor_bstr_of(&r, 8);
                break;
            case 13:
                (void)sz_cbor_optional_key(&r, 1);
                break;
            default:
                view = sz_cbor_skip(&r);
                break;
            }
            FUZZ_CHECK(sz_cbor_offset(&r) <= bytes.length);
            FUZZ_CHECK(view.length == 0 ||
                       (view.at >= bytes.at && view.at + view.length <= bytes.at + bytes.length));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    uint8_t *const copy = fuzz_copy(data, length);
    const struct sz_bytes bytes = SZ_BYTES(copy, length);
    struct sz_cbor_reader r = sz_cbor_reader(bytes);
    if (sz_cbor_check(bytes) == SZ_OK) {
        uint8_t *const again = malloc(length);
        struct sz_cbor_writer w = sz_cbor_writer(again, length);
        FUZZ_CHECK(again != NULL && sz_cbor_skip(&r).length == length && sz_cbor_done(&r) == SZ_OK);
        r = sz_cbor_reader(bytes);
        trust_cbor_rewrite(&r, &w);
        FUZZ_CHECK(sz_cbor_written(&w) == length && memcmp(again, copy, length) == 0);
        free(again);
    } else {
        (void)sz_cbor_skip(&r);
        FUZZ_CHECK(sz_cbor_done(&r) != SZ_OK);
    }
    call_getters(bytes);
    free(copy);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned random)
{
    return fuzz_mutate(data, size, most, random, 0);
}
