#include "requant.h"
#include "../tinylibm/tinylibm.h"

/* The quantised value of a bound, limited to 512 so that it stays far inside int32. */
static int32_t quantised_bound(float real, const struct sz_tensor_record *out)
{
    float scaled = real / out->scale;
    scaled = scaled < 512.0f ? scaled : 512.0f;
    scaled = scaled > -512.0f ? scaled : -512.0f;
    return sz_round_half_even(scaled) + out->zero_point;
}

struct sz_bounds sz_bounds_of(const struct sz_tensor_record *out, uint8_t activation)
{
    struct sz_bounds bounds = {-128, 127};
    if (activation == SZ_ACT_RELU || activation == SZ_ACT_RELU6)
        bounds.low = out->zero_point;
    if (activation == SZ_ACT_RELU_N1_TO_1) {
        int32_t low = quantised_bound(-1.0f, out);
        bounds.low = low > bounds.low ? low : bounds.low;
    }
    if (activation == SZ_ACT_RELU6 || activation == SZ_ACT_RELU_N1_TO_1) {
        int32_t high = quantised_bound(activation == SZ_ACT_RELU6 ? 6.0f : 1.0f, out);
        bounds.high = high < bounds.high ? high : bounds.high;
    }
    return bounds;
}

bool sz_add_terms_of(const struct sz_tensor_record *a, const struct sz_tensor_record *b,
                     const struct sz_tensor_record *y, struct sz_add_terms *terms)
{
    float ratio_a = a->scale / y->scale;
    float ratio_b = b->scale / y->scale;
    float greater = ratio_a > ratio_b ? ratio_a : ratio_b;
    if (!(greater >= 0x1p-10f && greater < 0x1p8f))
        return false;
    uint32_t bits;
    __builtin_memcpy(&bits, &greater, sizeof(bits));
    int32_t exponent = (int32_t)(bits >> 23) - 127; /* -10..7 */
    terms->shift = (uint32_t)(20 - exponent);
    float unit = (float)(1u << terms->shift);
    terms->multiplier_a = (int32_t)sz_rintf(ratio_a * unit);
    terms->multiplier_b = (int32_t)sz_rintf(ratio_b * unit);
    return true;
}
