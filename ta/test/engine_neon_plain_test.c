/*
 * The operators without packed weights that have kernels for aarch64, against the reference: random shapes
 * with odd channels, strides and padding, in buffers of exactly their size. Empty elsewhere. Usage:
 * engine_neon_plain_test [rounds]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tinylib/requant.h"
#include "tinylib/target.h"
#include "tinylib/window.h"

#if defined(__aarch64__)

#define PAGE ((size_t)65536)
#define BUFFER (16 * PAGE)

static uint64_t state = 7;

static uint32_t between(uint32_t low, uint32_t high)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return low + (uint32_t)(state >> 33) % (high - low + 1);
}

/* Buffers that end where memory does. */
static uint8_t *buffer_end(void)
{
    uint8_t *map = mmap(NULL, BUFFER + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED || mprotect(map, BUFFER, PROT_READ | PROT_WRITE) != 0)
        exit(2);
    return map + BUFFER;
}

static struct sz_tensor_record tensor(uint8_t dtype, const uint32_t dims[4])
{
    struct sz_tensor_record t = {.dtype = dtype, .place = SZ_ARENA, .rank = 4};
    t.bytes = dtype == SZ_F32 ? 4 : 1;
    for (int i = 0; i < 4; i++) {
        t.dims[i] = dims[i];
        t.bytes *= dims[i];
    }
    if (dtype == SZ_I8) {
        t.scale = (float)between(1, 200) / 1000.0f;
        t.zero_point = (int32_t)between(0, 255) - 128;
    }
    return t;
}

static void *fill(const struct sz_tensor_record *t, uint8_t *end)
{
    static const float special[] = {NAN, INFINITY, -INFINITY, -0.0f};
    uint8_t *values = end - t->bytes;
    for (size_t i = 0; i < sz_elements(t); i++) {
        uint32_t chance = between(0, 400);
        float value = chance < 4 ? special[chance] : (float)between(0, 8000) / 500.0f - 8.0f;
        if (t->dtype == SZ_F32)
            memcpy(values + 4 * i, &value, 4);
        else
            values[i] = (uint8_t)between(0, 255);
    }
    return values;
}

static bool is_same(const struct sz_tensor_record *t, const uint8_t *a, const uint8_t *b)
{
    if (t->dtype == SZ_I8)
        return memcmp(a, b, t->bytes) == 0;
    for (size_t i = 0; i < sz_elements(t); i++) {
        float x, y;
        memcpy(&x, a + 4 * i, 4);
        memcpy(&y, b + 4 * i, 4);
        if (x != y && !(isnan(x) && isnan(y)))
            return false;
    }
    return true;
}

static uint8_t *ends[4]; /* two inputs, our y, the reference's */

/* The inputs are filled here; they must be as they were afterwards. */
static void compare(struct sz_call *call, uint8_t dtype)
{
    const struct sz_kernel_table *plain = &sz_native_kernels()->plain;
    uint8_t code = call->op->code;
    sz_kernel ours = dtype == SZ_F32 ? plain->f32[code] : plain->i8[code];
    sz_kernel reference = dtype == SZ_F32 ? sz_kernels_reference.f32[code] : sz_kernels_reference.i8[code];
    bool in_place = code == SZ_OP_ADD && between(0, 1) == 0;
    for (int i = 0; i < call->op->input_count; i++)
        call->in[i].data = fill(call->in[i].record, ends[i]);
    call->y = ends[3] - call->out->bytes;
    reference(call);
    if (in_place) {
        call->y = ends[0] - call->out->bytes;
    } else {
        call->y = ends[2] - call->out->bytes;
        memset(call->y, 0x55, call->out->bytes);
    }
    if (ours == NULL)
        return;
    ours(call);
    if (!is_same(call->out, call->y, ends[3] - call->out->bytes)) {
        const uint32_t *d = call->in[0].record->dims;
        printf("FAIL: operator %d, type %d, x %ux%ux%ux%u\n", code, dtype, d[0], d[1], d[2], d[3]);
        exit(1);
    }
}

static uint32_t channels(void)
{
    return between(0, 1) == 0 ? between(1, 80) : 16 * between(1, 5);
}

static void test_add(uint8_t dtype)
{
    uint32_t dims[4] = {1, between(1, 4), between(1, 5), channels()};
    struct sz_op_record op = {.code = SZ_OP_ADD, .activation = (uint8_t)between(0, 3), .input_count = 2};
    struct sz_tensor_record a = tensor(dtype, dims), b = tensor(dtype, dims), y = tensor(dtype, dims);
    struct sz_tensor_record vector = tensor(dtype, (const uint32_t[4]){1, 1, 1, dims[3]});
    struct sz_call call = {
        .op = &op, .in = {{&a, NULL}, {between(0, 3) == 0 ? &vector : &b, NULL}}, .out = &y};
    struct sz_add_terms terms;
    if (dtype == SZ_F32 || sz_add_terms_of(&a, call.in[1].record, &y, &terms))
        compare(&call, dtype);
}

static void test_max_pool(uint8_t dtype)
{
    uint32_t window[2] = {between(1, 4), between(1, 4)}, stride[2] = {between(1, 3), between(1, 3)};
    uint32_t in[4] = {between(1, 2), between(1, 9), between(1, 9), channels()}, out[4];
    struct sz_op_record op = {
        .code = SZ_OP_MAX_POOL_2D, .activation = (uint8_t)between(0, 3), .input_count = 1};
    memcpy(out, in, sizeof(out));
    if (between(0, 1) == 0)
        window[0] = window[1] = 3;
    for (int i = 0; i < 2; i++) {
        uint32_t before = between(0, window[i] - 1), behind = between(0, window[i] - 1);
        if (in[1 + i] + before + behind < window[i])
            behind = before = window[i] - 1;
        op.ints[i] = (int32_t)stride[i];
        op.ints[SZ_WINDOW_H + i] = (int32_t)window[i];
        op.ints[SZ_PAD_TOP + i] = (int32_t)before;
        op.ints[SZ_PAD_BOTTOM + i] = (int32_t)behind;
        out[1 + i] = (in[1 + i] + before + behind - window[i]) / stride[i] + 1;
    }
    struct sz_tensor_record x = tensor(dtype, in), y = tensor(dtype, out);
    y.scale = x.scale;
    y.zero_point = x.zero_point;
    struct sz_call call = {.op = &op, .in = {{&x, NULL}}, .out = &y};
    compare(&call, dtype);
}

static void test_global_mean(void)
{
    uint32_t in[4] = {between(1, 2), between(1, 20), between(1, 20), channels()};
    struct sz_op_record op = {.code = SZ_OP_GLOBAL_MEAN, .input_count = 1};
    struct sz_tensor_record x = tensor(SZ_I8, in);
    struct sz_tensor_record y = tensor(SZ_I8, (const uint32_t[4]){in[0], 1, 1, in[3]});
    struct sz_call call = {.op = &op, .in = {{&x, NULL}}, .out = &y};
    compare(&call, SZ_I8);
}

static void test_concat(uint8_t dtype)
{
    uint32_t a_dims[4] = {between(1, 2), between(1, 4), between(1, 5), channels()}, b_dims[4], y_dims[4];
    uint32_t axis = between(0, 3);
    struct sz_op_record op = {.code = SZ_OP_CONCAT, .input_count = 2, .ints = {(int32_t)axis}};
    memcpy(b_dims, a_dims, sizeof(b_dims));
    memcpy(y_dims, a_dims, sizeof(y_dims));
    b_dims[axis] = axis == 3 ? channels() : between(1, 4);
    y_dims[axis] += b_dims[axis];
    struct sz_tensor_record a = tensor(dtype, a_dims), b = tensor(dtype, b_dims), y = tensor(dtype, y_dims);
    if (between(0, 3) != 0) {
        a.scale = b.scale = y.scale;
        a.zero_point = b.zero_point = y.zero_point;
    }
    struct sz_call call = {.op = &op, .in = {{&a, NULL}, {&b, NULL}}, .out = &y};
    compare(&call, dtype);
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 1000;
    for (int i = 0; i < 4; i++)
        ends[i] = buffer_end();
    for (long i = 0; i < rounds; i++) {
        uint8_t dtype = i % 2 == 0 ? SZ_I8 : SZ_F32;
        test_add(dtype);
        test_max_pool(dtype);
        test_global_mean();
        test_concat(dtype);
    }
    printf("plain operators of %s, %ld rounds: ok\n", sz_native_target_name(), rounds);
    return 0;
}

#else
int main(void)
{
    printf("no aarch64: nothing to test\n");
    return 0;
}
#endif
