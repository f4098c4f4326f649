/* y = a + b where both have the same shape; other shapes are the reference's. y may be a or b. */
#include "kernels.h"

#if defined(__aarch64__)
#include "../bounds_f32.h"
#include "../reference/kernels.h"
#include "../requant.h"
#include "load.h"

static bool same_shape(const struct sz_call *call)
{
    return sz_elements(call->in[0].record) == sz_elements(call->in[1].record);
}

/* requant.h, with everything constant in one: the sum modulo 2^32 is the same. */
struct add_terms {
    int32x4_t multiplier_a, multiplier_b, constant, shift;
    int16x8_t zero_y;
    int8x16_t low, high;
};

static inline int32x4_t weighted(int16x4_t a, int16x4_t b, const struct add_terms *t)
{
    int32x4_t sum = vmlaq_s32(t->constant, vmovl_s16(a), t->multiplier_a);
    return vshlq_s32(vmlaq_s32(sum, vmovl_s16(b), t->multiplier_b), t->shift);
}

static inline int16x8_t added(int16x8_t a, int16x8_t b, const struct add_terms *t)
{
    int16x4_t low = vqmovn_s32(weighted(vget_low_s16(a), vget_low_s16(b), t));
    return vqaddq_s16(vqmovn_high_s32(low, weighted(vget_high_s16(a), vget_high_s16(b), t)), t->zero_y);
}

static inline void add_16(const int8_t *a, const int8_t *b, int8_t *y, const struct add_terms *t)
{
    int8x16_t va = vreinterpretq_s8_u8(sz_neon_load_16(a)), vb = vreinterpretq_s8_u8(sz_neon_load_16(b));
    int16x8_t low = added(vmovl_s8(vget_low_s8(va)), vmovl_s8(vget_low_s8(vb)), t);
    int16x8_t high = added(vmovl_high_s8(va), vmovl_high_s8(vb), t);
    sz_neon_store_16(
        y, vreinterpretq_u8_s8(vminq_s8(vmaxq_s8(vqmovn_high_s16(vqmovn_s16(low), high), t->low), t->high)));
}

void sz_neon_add_i8(const struct sz_call *call)
{
    size_t n = sz_elements(call->out), i = 0;
    const int8_t *a = call->in[0].data, *b = call->in[1].data;
    int8_t *y = call->y;
    struct sz_bounds bounds = sz_bounds_of(call->out, call->op->activation);
    struct sz_add_terms terms;
    if (!same_shape(call)) {
        sz_ref_add_i8(call);
        return;
    }
    if (!sz_add_terms_of(call->in[0].record, call->in[1].record, call->out, &terms))
        return; /* sz_graph_open() has refused that */
    uint32_t constant = (uint32_t)1 << (terms.shift - 1);
    constant -= (uint32_t)call->in[0].record->zero_point * (uint32_t)terms.multiplier_a;
    constant -= (uint32_t)call->in[1].record->zero_point * (uint32_t)terms.multiplier_b;
    struct add_terms t = {
        vdupq_n_s32(terms.multiplier_a),
        vdupq_n_s32(terms.multiplier_b),
        vdupq_n_s32((int32_t)constant),
        vdupq_n_s32(-(int32_t)terms.shift),
        vdupq_n_s16((int16_t)call->out->zero_point),
        vdupq_n_s8((int8_t)bounds.low),
        vdupq_n_s8((int8_t)bounds.high),
    };
    for (; i + 16 <= n; i += 16)
        add_16(a + i, b + i, y + i, &t);
    if (i < n) {
        int8_t last[3][16] = {{0}};
        for (size_t l = 0; l < 16 && l < n - i; l++) {
            last[0][l] = a[i + l];
            last[1][l] = b[i + l];
        }
        add_16(last[0], last[1], last[2], &t);
        for (size_t l = 0; l < 16 && l < n - i; l++)
            y[i + l] = last[2][l];
    }
}

void sz_neon_add_f32(const struct sz_call *call)
{
    size_t n = sz_elements(call->out), i = 0;
    const float *a = call->in[0].data, *b = call->in[1].data;
    float *y = call->y;
    struct sz_range range = sz_range_of(call->op->activation);
    float32x4_t low = vdupq_n_f32(range.low), high = vdupq_n_f32(range.high);
    if (!same_shape(call)) {
        sz_ref_add_f32(call);
        return;
    }
    for (; i + 4 <= n; i += 4)
        sz_neon_store_16(y + i, vreinterpretq_u8_f32(vminq_f32(
                                    vmaxq_f32(vaddq_f32(vreinterpretq_f32_u8(sz_neon_load_16(a + i)),
                                                        vreinterpretq_f32_u8(sz_neon_load_16(b + i))),
                                              low),
                                    high)));
    for (; i < n; i++) {
        float32x4_t sum = vaddq_f32(vdupq_n_f32(a[i]), vdupq_n_f32(b[i]));
        y[i] = vgetq_lane_f32(vminq_f32(vmaxq_f32(sum, low), high), 0);
    }
}

#else
typedef int sz_not_empty;
#endif
