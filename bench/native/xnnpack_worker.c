/*
 * XNNPACK's subgraph interface on one thread, as a worker of the bench (worker.h):
 *
 *     xnnpack_worker NET WEIGHTS INPUT
 *
 * NET and WEIGHTS as bench/peers/xnnpack-net.ts writes them; INPUT is the input tensor, NHWC, as it is.
 */
#include "worker.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xnnpack.h>

#define MAX_TENSORS 512

struct tensor {
    size_t dims[4];
    float scale;
    int zero_point;
    uint32_t id;
};

struct net {
    bool is_int8;
    int tensor_count, layer_count, output;
    struct tensor tensors[MAX_TENSORS];
    FILE *text;
    const uint8_t *weights;
    size_t weight_bytes, used;
    xnn_subgraph_t subgraph;
};

struct session {
    xnn_runtime_t runtime;
    void *output;
    size_t output_bytes;
};

static void check(enum xnn_status status, const char *what)
{
    if (status == xnn_status_success)
        return;
    fprintf(stderr, "XNNPACK: status %d from %s\n", (int)status, what);
    exit(1);
}

static double number(struct net *net)
{
    double value;
    if (fscanf(net->text, "%lf", &value) != 1)
        worker_die("cannot read", "a number of the net");
    return value;
}

static int integer(struct net *net)
{
    return (int)number(net);
}

static uint32_t natural(struct net *net)
{
    return (uint32_t)number(net);
}

static struct tensor *tensor_at(struct net *net, int index)
{
    if (index < 0 || index >= net->tensor_count)
        worker_die("no such tensor in", "the net");
    return &net->tensors[index];
}

/* The next `bytes` of the weights, at the place where they stay: XNNPACK copies them when the runtime is
 * created. */
static const void *next_weights(struct net *net, size_t bytes)
{
    if (bytes > net->weight_bytes - net->used)
        worker_die("too short:", "the weights");
    const void *at = net->weights + net->used;
    net->used += bytes;
    return at;
}

static void define_value(struct net *net, struct tensor *t, uint32_t external, uint32_t flags)
{
    check(net->is_int8
              ? xnn_define_quantized_tensor_value(net->subgraph, xnn_datatype_qint8, t->zero_point, t->scale,
                                                  4, t->dims, NULL, external, flags, &t->id)
              : xnn_define_tensor_value(net->subgraph, xnn_datatype_fp32, 4, t->dims, NULL, external, flags,
                                        &t->id),
          "a value");
}

/* Biases' scales must stay until the runtime is there: the process keeps them. */
static void define_weights(struct net *net, const struct tensor *x, const size_t dims[4], bool is_depthwise,
                           uint32_t *w, uint32_t *b)
{
    size_t outputs = is_depthwise ? dims[3] : dims[0], bias_dims[1] = {outputs};
    size_t count = dims[0] * dims[1] * dims[2] * dims[3];
    if (!net->is_int8) {
        const void *values = next_weights(net, 4 * count), *bias = next_weights(net, 4 * outputs);
        check(xnn_define_tensor_value(net->subgraph, xnn_datatype_fp32, 4, dims, values, XNN_INVALID_VALUE_ID,
                                      0, w),
              "weights");
        check(xnn_define_tensor_value(net->subgraph, xnn_datatype_fp32, 1, bias_dims, bias,
                                      XNN_INVALID_VALUE_ID, 0, b),
              "a bias");
        return;
    }
    const void *values = next_weights(net, count);
    const float *stored = next_weights(net, 4 * outputs);
    const void *bias = next_weights(net, 4 * outputs);
    float *scales = malloc(2 * outputs * sizeof(float));
    if (scales == NULL)
        worker_die("out of memory for", "scales");
    memcpy(scales, stored, outputs * sizeof(float));
    for (size_t o = 0; o < outputs; o++)
        scales[outputs + o] = scales[o] * x->scale;
    check(xnn_define_channelwise_quantized_tensor_value(net->subgraph, xnn_datatype_qcint8, scales, 4,
                                                        is_depthwise ? 3 : 0, dims, values,
                                                        XNN_INVALID_VALUE_ID, 0, w),
          "weights");
    check(xnn_define_channelwise_quantized_tensor_value(net->subgraph, xnn_datatype_qcint32, scales + outputs,
                                                        1, 0, bias_dims, bias, XNN_INVALID_VALUE_ID, 0, b),
          "a bias");
}

static void define_convolution(struct net *net, const struct tensor *x, const struct tensor *y,
                               bool is_depthwise)
{
    uint32_t window = natural(net), stride = natural(net);
    uint32_t top = natural(net), left = natural(net), bottom = natural(net), right = natural(net);
    int clamp = integer(net);
    float low = clamp == 0 ? -INFINITY : 0.0f, high = clamp == 2 ? 6.0f : INFINITY;
    size_t dims[4] = {is_depthwise ? 1 : y->dims[3], window, window, x->dims[3]};
    uint32_t w, b;
    define_weights(net, x, dims, is_depthwise, &w, &b);
    check(is_depthwise ? xnn_define_depthwise_convolution_2d(net->subgraph, top, right, bottom, left, window,
                                                             window, stride, stride, 1, 1, 1, x->dims[3], low,
                                                             high, x->id, w, b, y->id, 0)
                       : xnn_define_convolution_2d(net->subgraph, top, right, bottom, left, window, window,
                                                   stride, stride, 1, 1, 1, x->dims[3], y->dims[3], low, high,
                                                   x->id, w, b, y->id, 0),
          "a convolution");
}

/* XNNPACK refuses pooling windows of one pixel: a depthwise convolution by 1 does the same. */
static void define_subsample(struct net *net, const struct tensor *x, const struct tensor *y)
{
    uint32_t stride = natural(net);
    size_t channels = x->dims[3];
    size_t bytes = channels * (net->is_int8 ? 1 + 4 + 4 : 8);
    uint8_t *ones = calloc(bytes, 1);
    if (ones == NULL)
        worker_die("out of memory for", "weights");
    for (size_t c = 0; c < channels; c++) {
        const float one = 1.0f;
        memcpy(ones + 4 * c + (net->is_int8 ? channels : 0), &one, 4);
        if (net->is_int8)
            ones[c] = 1;
    }
    const uint8_t *weights = net->weights;
    size_t used = net->used, length = net->weight_bytes;
    net->weights = ones;
    net->used = 0;
    net->weight_bytes = bytes;
    uint32_t w, b;
    define_weights(net, x, (size_t[4]){1, 1, 1, channels}, true, &w, &b);
    net->weights = weights;
    net->used = used;
    net->weight_bytes = length;
    check(xnn_define_depthwise_convolution_2d(net->subgraph, 0, 0, 0, 0, 1, 1, stride, stride, 1, 1, 1,
                                              channels, -INFINITY, INFINITY, x->id, w, b, y->id, 0),
          "a subsampling");
}

static void define_max_pooling(struct net *net, const struct tensor *x, const struct tensor *y)
{
    uint32_t window = natural(net), stride = natural(net);
    uint32_t top = natural(net), left = natural(net), bottom = natural(net), right = natural(net);
    check(xnn_define_max_pooling_2d(net->subgraph, top, right, bottom, left, window, window, stride, stride,
                                    1, 1, -INFINITY, INFINITY, x->id, y->id, 0),
          "a pooling");
}

static void define_layer(struct net *net)
{
    char op[32];
    if (fscanf(net->text, "%31s", op) != 1)
        worker_die("cannot read", "a layer of the net");
    int output = integer(net);
    struct tensor *x = tensor_at(net, integer(net)), *y = tensor_at(net, output);
    bool is_binary = strcmp(op, "add") == 0 || strcmp(op, "concat") == 0;
    struct tensor *second = is_binary ? tensor_at(net, integer(net)) : NULL;
    bool is_last = output == net->output;
    define_value(net, y, is_last ? 1 : XNN_INVALID_VALUE_ID, is_last ? XNN_VALUE_FLAG_EXTERNAL_OUTPUT : 0);
    if (strcmp(op, "conv") == 0 || strcmp(op, "depthwise") == 0)
        define_convolution(net, x, y, op[0] == 'd');
    else if (strcmp(op, "maxPool") == 0)
        define_max_pooling(net, x, y);
    else if (strcmp(op, "subsample") == 0)
        define_subsample(net, x, y);
    else if (strcmp(op, "padChannels") == 0)
        check(xnn_define_static_constant_pad(net->subgraph, (size_t[4]){0},
                                             (size_t[4]){0, 0, 0, natural(net)}, 0.0f, x->id, y->id, 0),
              "a padding");
    else if (strcmp(op, "leaky") == 0)
        check(
            xnn_define_unary(net->subgraph, xnn_unary_leaky_relu,
                             &(union xnn_unary_params){.leaky_relu = {.negative_slope = (float)number(net)}},
                             x->id, y->id, 0),
            "a leaky ReLU");
    else if (strcmp(op, "add") == 0)
        check(xnn_define_binary(net->subgraph, xnn_binary_add, NULL, x->id, second->id, y->id, 0),
              "an addition");
    else if (strcmp(op, "concat") == 0)
        check(xnn_define_concatenate2(net->subgraph, 3, x->id, second->id, y->id, 0), "a concatenation");
    else if (strcmp(op, "globalMean") == 0)
        check(xnn_define_global_average_pooling_2d(net->subgraph, -INFINITY, INFINITY, x->id, y->id,
                                                   XNN_FLAG_KEEP_DIMS),
              "a mean");
    else if (strcmp(op, "softmax") == 0)
        check(xnn_define_softmax(net->subgraph, x->id, y->id, 0), "a softmax");
    else
        worker_die("unknown layer", op);
}

static void define_net(struct net *net)
{
    char type[8];
    if (fscanf(net->text, "net %7s", type) != 1)
        worker_die("not a net:", "the description");
    net->is_int8 = strcmp(type, "i8") == 0;
    net->tensor_count = integer(net);
    net->layer_count = integer(net);
    net->output = integer(net);
    if (net->tensor_count < 2 || net->tensor_count > MAX_TENSORS)
        worker_die("too many tensors in", "the net");
    for (int i = 0; i < net->tensor_count; i++) {
        struct tensor *t = &net->tensors[i];
        t->dims[0] = 1;
        for (int k = 1; k < 4; k++)
            t->dims[k] = natural(net);
        t->scale = (float)number(net);
        t->zero_point = integer(net);
    }
    check(xnn_create_subgraph(2, 0, &net->subgraph), "the subgraph");
    define_value(net, &net->tensors[0], 0, XNN_VALUE_FLAG_EXTERNAL_INPUT);
    for (int i = 0; i < net->layer_count; i++)
        define_layer(net);
}

static size_t bytes_of(const struct net *net, const struct tensor *t)
{
    return t->dims[1] * t->dims[2] * t->dims[3] * (net->is_int8 ? 1 : sizeof(float));
}

static void infer(void *context)
{
    struct session *session = context;
    check(xnn_invoke_runtime(session->runtime), "an inference");
}

static void output(void *context, const void **bytes, size_t *length)
{
    const struct session *session = context;
    *bytes = session->output;
    *length = session->output_bytes;
}

/* XNNPACK may read a little behind its inputs. */
static void *copy_of(const void *bytes, size_t length)
{
    void *copy = NULL;
    copy = aligned_alloc(64, (length + XNN_EXTRA_BYTES + 63) / 64 * 64);
    if (copy == NULL)
        worker_die("out of memory for", "a tensor");
    if (bytes != NULL)
        memcpy(copy, bytes, length);
    return copy;
}

int main(int argc, char **argv)
{
    static struct net net;
    static struct session session;
    size_t input_length;
    if (argc != 4)
        worker_die("usage", "xnnpack_worker NET WEIGHTS INPUT");
    net.text = fopen(argv[1], "r");
    if (net.text == NULL)
        worker_die("cannot read", argv[1]);
    net.weights = worker_read_file(argv[2], &net.weight_bytes);
    const void *input = worker_read_file(argv[3], &input_length);
    check(xnn_initialize(NULL), "its start");
    define_net(&net);
    fclose(net.text);
    if (input_length != bytes_of(&net, &net.tensors[0]))
        worker_die("not the input's length:", argv[3]);
    check(xnn_create_runtime_v2(net.subgraph, NULL, 0, &session.runtime), "the runtime");
    check(xnn_delete_subgraph(net.subgraph), "the subgraph's end");
    session.output_bytes = bytes_of(&net, &net.tensors[net.output]);
    session.output = copy_of(NULL, session.output_bytes);
    const struct xnn_external_value values[2] = {{0, copy_of(input, input_length)}, {1, session.output}};
    check(xnn_reshape_runtime(session.runtime), "the shapes");
    check(xnn_setup_runtime_v2(session.runtime, 2, values), "the buffers");
    return worker_serve(&(struct worker){&session, infer, output, NULL});
}
