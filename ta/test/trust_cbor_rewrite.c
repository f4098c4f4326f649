#include "trust_cbor_rewrite.h"
#include "trust_test.h"

/* A head says how many items follow, so a flat loop over `items` visits all. */
void trust_cbor_rewrite(struct sz_cbor_reader *r, struct sz_cbor_writer *w)
{
    size_t items = 1;
    for (; items > 0 && sz_cbor_ok(r); items--) {
        struct sz_cbor_head head = {0};
        struct sz_bytes bytes;
        size_t count;
        CHECK(sz_cbor_peek(r, &head));
        switch (head.major) {
        case 0:
            sz_cbor_put_uint(w, sz_cbor_uint(r));
            break;
        case 1:
            sz_cbor_put_nint(w, sz_cbor_nint(r));
            break;
        case 2:
            bytes = sz_cbor_bstr(r);
            sz_cbor_put_bstr(w, bytes.at, bytes.length);
            break;
        case 3:
            bytes = sz_cbor_tstr(r);
            sz_cbor_put_tstr(w, bytes.at, bytes.length);
            break;
        case 4:
            count = sz_cbor_array(r);
            sz_cbor_put_array(w, count);
            items += count;
            break;
        case 5:
            count = sz_cbor_map(r);
            sz_cbor_put_map(w, count);
            items += 2 * count;
            break;
        case 6:
            sz_cbor_put_tag(w, sz_cbor_tag(r));
            items++;
            break;
        default:
            if (head.info >= 25) {
                sz_cbor_put_float(w, sz_cbor_float(r));
            } else if (head.info == 22) {
                sz_cbor_null(r);
                sz_cbor_put_null(w);
            } else {
                sz_cbor_put_bool(w, sz_cbor_bool(r));
            }
        }
    }
}
