/*
 * SZG1: the binary form of a network, as a model package carries it and as S-Tinylib runs it.
 *
 * Little-endian, fixed-size records, every record starts at a multiple of 8 bytes, no pointers and no offsets
 * between the parts: they follow each other in this order and the whole must be exactly `byte_length` long.
 *
 *     struct sz_graph_header              (1, 192 bytes)
 *     uint32_t segment_bytes[]            (segment_count, padded with zeros to a multiple of 8 bytes)
 *     struct sz_tensor_record[]           (tensor_count, 40 bytes each)
 *     struct sz_op_record[]               (op_count, 96 bytes each, in the order of execution)
 *
 * The graph itself is small (tens of KB), constant, and is kept in secure memory for as long as the model
 * runs. Weights are in segments, given by the caller at run time; activations are in one arena of
 * `arena_size` bytes. Fields called reserved, parameters an operator does not name, and unused index slots
 * must be 0, 0, and SZ_NONE: sz_graph_open() refuses anything else, so that later versions can give them a
 * meaning.
 *
 * Shapes are NHWC. A tensor of rank r uses dims[0..r-1]; the dims behind them are 1. "C" is always the last
 * used dim.
 */
#ifndef SZ_TINYLIB_GRAPH_H
#define SZ_TINYLIB_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SZ_GRAPH_MAGIC 0x31475a53u /* "SZG1" */
#define SZ_GRAPH_VERSION 1u
#define SZ_NONE 0xffffu /* no tensor */

#define SZ_MAX_RANK 4
#define SZ_MAX_OP_INPUTS 8
#define SZ_MAX_OP_OUTPUTS 4
#define SZ_MAX_GRAPH_OUTPUTS 8
#define SZ_OP_INTS 12
#define SZ_OP_FLOATS 4
#define SZ_HEAD_FLOATS 8
#define SZ_MAX_TENSORS 4096u
#define SZ_MAX_OPS 2048u
#define SZ_MAX_SEGMENTS 4096u
/* Arena offsets, offsets inside a segment, and the caller's arena and segment pointers are multiples of this.
 */
#define SZ_ALIGNMENT 16u
/* Longest sum of products of one int8 output value (kernel height x width x input channels of the group): 255
 * * 255 * 32768 still fits int32. */
#define SZ_MAX_INT8_DEPTH 32768u

/* In which order the weights were laid out when the model was packed. */
enum sz_target {
    SZ_TARGET_REF = 0,
    SZ_TARGET_NEON = 1,
    SZ_TARGET_NEON_DOT = 2,
    SZ_TARGET_X86 = 3,
};

enum sz_dtype {
    SZ_F32 = 1,
    SZ_I8 = 2,  /* real = (q - zero_point) * scale */
    SZ_I32 = 3, /* biases of int8 operators only */
};

enum sz_place {
    SZ_ARENA = 1,   /* offset counts from the start of the arena */
    SZ_WEIGHTS = 2, /* offset counts from the start of segment `segment` */
};

/* How a tensor's values are arranged. The packed layouts are the header's target's own (packing.h says which
 * values they hold, in what order is the business of that target's kernels); `dims` stay those of the weights
 * themselves, `bytes` is what the packed form takes. */
enum sz_layout {
    SZ_LAYOUT_PLAIN = 0,     /* row-major */
    SZ_LAYOUT_PANELS = 1,    /* weights of CONV_2D (groups 1), [O,KH,KW,C], or FULLY_CONNECTED, [O,I] */
    SZ_LAYOUT_DEPTHWISE = 2, /* weights of DEPTHWISE_2D (multiplier 1), [1,KH,KW,C] */
    SZ_LAYOUT_LINES = 3, /* a line buffer in the arena, of the operators that run in bands (bands.h): `bytes`
                          * is rows times the bytes of a row with the padding that a depthwise reader needs */
};

/* Applied to an operator's output. For int8: a clamp to the quantised bounds (zero_point +
 * round_half_even(bound / scale)). */
enum sz_activation {
    SZ_ACT_NONE = 0,
    SZ_ACT_RELU = 1,
    SZ_ACT_RELU6 = 2,
    SZ_ACT_RELU_N1_TO_1 = 3,
};

/*
 * Operators. x is inputs[0], y is outputs[0]; "ints" and "floats" are the record's parameters. Inputs written
 * as w, b, s are weight tensors (place SZ_WEIGHTS); x and y are in the arena unless stated.
 *
 * Float32: x, w, b, y are f32, there is no s.
 * Int8: x, w, y are i8, b is i32, s is f32 and holds the requantisation factor of each output channel:
 * s[c] = (float)((float)(scale_x * scale_w[c]) / scale_y), each step in float32 (see requant.h). w's
 * zero_point is the per-tensor zero point of the weights (0 for TFLite int8 models; legacy uint8 models
 * converted to int8 have another); w's scale is informative (use 1 where it is per channel).
 *
 * Packed weights hold b and s too: the operator's inputs are then x and w only.
 *
 * Unless stated, y must not overlap its inputs. "In place": y may also be at exactly x's offset.
 * "Same quantisation": x and y have equal scale and zero point.
 *
 * `activation` may be set for CONV_2D, DEPTHWISE_2D, FULLY_CONNECTED, AVERAGE_POOL_2D, MAX_POOL_2D, ADD, MUL
 * and RELU, and must be 0 for others.
 */
enum sz_op_code {
    /* inputs x [N,H,W,C], w, b or SZ_NONE, (i8 only) s; y [N,OH,OW,O].
     * f32 w: [KH,KW,C/groups,O]. i8 w: [O,KH,KW,C/groups]. b: [O]. s: [O].
     * ints: 0 stride_h, 1 stride_w, 2 dilation_h, 3 dilation_w, 4 pad_top, 5 pad_left, 6 pad_bottom, 7
     * pad_right, 8 groups. OH = (H + pad_top + pad_bottom - ((KH-1)*dilation_h + 1)) / stride_h + 1, rounded
     * down; OW alike.
     * An operator may compute only the channels ints 9 .. ints 9 + O - 1 of y, which then has more than O of
     * them (weights too large for one segment). The parts of one y follow each other directly, have the same
     * x and the same parameters, start at channel 0 and end at the last: then y holds its value. */
    SZ_OP_CONV_2D = 1,
    /* As CONV_2D, but ints 8 = multiplier m and w: [1,KH,KW,C*m]; O = C*m, output o reads input channel o /
     * m; there are no parts. Packed: in place (N = 1, y at x's offset, OW <= W, pad_top smaller than the
     * window). */
    SZ_OP_DEPTHWISE_2D = 2,
    /* inputs x of any rank, taken as [M,I]; w, b, s as CONV_2D with f32 w: [I,O], i8 w: [O,I]. y taken as
     * [M,O]; its last dim must be O. ints: 9 first output channel, as CONV_2D. */
    SZ_OP_FULLY_CONNECTED = 3,
    /* x [N,H,W,C]; ints: 0 stride_h, 1 stride_w, 2 window_h, 3 window_w, 4 pad_top, 5 pad_left, 6 pad_bottom,
     * 7 pad_right (each smaller than the window; padding is not counted),
     * 8 (i8 average) rounding of a mean in the middle between two values: 0 away from q = 0, as TFLite does
     * for int8, 1 up, as TFLite does for uint8 (set it for models converted from uint8). Same quantisation.
     */
    SZ_OP_AVERAGE_POOL_2D = 4,
    /* As AVERAGE_POOL_2D, without ints 8. */
    SZ_OP_MAX_POOL_2D = 5,
    /* x [N,H,W,C] -> y [N,1,1,C] or [N,C]: the mean over H and W. x and y may differ in quantisation. */
    SZ_OP_GLOBAL_MEAN = 6,
    /* inputs a, b; y has a's shape. b has a's shape, or one element, or is a vector over a's last dim (all
     * its other dims 1). a is in the arena, b in the arena or a weight of a's dtype. In place on a; also on b
     * where it has a's shape and is in the arena. All three may differ in quantisation. */
    SZ_OP_ADD = 7,
    /* As ADD. */
    SZ_OP_MUL = 8,
    /* 1..8 inputs of y's rank in the arena, equal except along ints 0 (the axis). Quantisations may differ.
     * An input of y's quantisation that already lies where it belongs in y (possible when all dims before the
     * axis are 1) is not copied; any other overlap is refused. */
    SZ_OP_CONCAT = 9,
    /* ints: 0..3 added before dim 0..3, 4..7 added behind. floats: 0 value (f32; i8 pads with y's zero point,
     * and floats 0 must be 0). Same quantisation. */
    SZ_OP_PAD = 10,
    /* Same number of elements, same quantisation. In place: then nothing is copied and x stays valid too. */
    SZ_OP_RESHAPE = 11,
    /* x [N,H,W,C] -> y [N,OH,OW,C]; ints: 0 align_corners, 1 half_pixel_centers (each 0 or 1, not both 1).
     * Same quantisation. */
    SZ_OP_RESIZE_NEAREST = 12,
    /* As RESIZE_NEAREST. */
    SZ_OP_RESIZE_BILINEAR = 13,
    /* Over the last dim; floats: 0 beta (> 0). In place. x and y may differ in quantisation. */
    SZ_OP_SOFTMAX = 14,
    /* Element by element, same shape. In place. x and y may differ in quantisation. */
    SZ_OP_LOGISTIC = 15,
    SZ_OP_TANH = 16,
    /* The record's activation on its own (must not be SZ_ACT_NONE). As LOGISTIC. */
    SZ_OP_RELU = 17,
    /* floats: 0 slope for x < 0. As LOGISTIC. */
    SZ_OP_LEAKY_RELU = 18,
    /* inputs x, alpha: a weight of x's dtype, a vector over the last dim or one element. As LOGISTIC. */
    SZ_OP_PRELU = 19,
    /* As LOGISTIC. */
    SZ_OP_HARD_SWISH = 20,
    /* f32 -> i8, or i8 -> i8 (requantise). Same shape. i8 -> i8 in place. */
    SZ_OP_QUANTIZE = 21,
    /* i8 -> f32, same shape. */
    SZ_OP_DEQUANTIZE = 22,
    /* ints: 0..3 permutation: y.dims[i] = x.dims[ints[i]] for i < rank; ints[i] = i behind. Same
       quantisation. */
    SZ_OP_TRANSPOSE = 23,
    /* ints: 0..3 first index in each dim; y's shape is the size of the piece. Same quantisation. (Split is
     * slices; channel shuffle is reshape, transpose, reshape.) Where the piece is contiguous in x (all dims
     * before the cut one are 1, all behind it whole), y may overlap x: at the piece's own place nothing is
     * copied and x stays valid too, elsewhere the piece is moved and x is lost. */
    SZ_OP_SLICE = 24,
    SZ_OP_LAST = SZ_OP_SLICE,
};

/* What the raw outputs mean. */
enum sz_head_kind {
    SZ_HEAD_NONE = 0,       /* raw outputs only */
    SZ_HEAD_TOP_K = 1,      /* tensors 0: scores, any shape; class = index of the element */
    SZ_HEAD_DETECTIONS = 2, /* tensors 0: boxes [1,N,B], B >= 4; 1: scores [1,N,K]; 2: anchors (weights, f32
                               [N,4] = centre x, centre y, width, height) */
    SZ_HEAD_RECONSTRUCTION = 3, /* tensors 0: output, as many elements as the graph's input; score = mean
                                   squared error of dequantised values */
    SZ_HEAD_VECTOR = 4,         /* tensors 0: an embedding, dequantised */
};

enum sz_head_flags {
    SZ_HEAD_SOFTMAX = 1, /* TOP_K, DETECTIONS: scores go through softmax over all K first */
    SZ_HEAD_SIGMOID = 2, /* DETECTIONS: scores go through the logistic function (after the clip) */
    SZ_HEAD_YX =
        4, /* DETECTIONS: the four box values are y, x, h, w (SSD) instead of x, y, w, h (BlazeFace) */
    SZ_HEAD_EXP_SIZE = 8,  /* DETECTIONS: size = anchor size * exp(value / scale) (SSD) instead of anchor size
                            * value / scale */
    SZ_HEAD_WEIGHTED = 16, /* DETECTIONS: suppression averages the overlapping boxes weighted by score
                              (BlazeFace) instead of dropping them */
    SZ_HEAD_PER_CLASS = 32, /* DETECTIONS: only boxes of the same class suppress each other */
    SZ_HEAD_CELLS = 64,     /* DETECTIONS: values as YOLO's layers give them. tensors 0 and 1 are the same
                             * [1,N,first_class + K]; column 4 is the objectness, which goes through the logistic
                             * function; score = objectness * class score, SZ_HEAD_SOFTMAX or SIGMOID (one is
                             * needed), over the columns from first_class (at least 5). anchors: [N,6], behind the
                             * four how far the centre reaches in x and y: centre = anchor centre +
                             * (logistic(value / scale) - 1/2) * reach */
};

/*
 * floats of TOP_K:
 *     0 min_score: results below it are left out (-FLT_MAX for none)
 *
 * floats of RECONSTRUCTION:
 *     0 threshold: class = score > threshold
 *
 * floats of DETECTIONS:
 *     0 x_scale, 1 y_scale, 2 w_scale, 3 h_scale (all > 0): centre = anchor centre + value / scale * anchor
 * size
 *
 *     4 score_clip: raw scores are clamped to +-it (0: no clamp)
 *
 *     5 min_score
 *
 *     6 min_suppression: a box whose IoU with a better one is above it is suppressed
 *
 * All finite, the others 0.
 *
 * max_results: 1..SZ_MAX_RESULTS (TOP_K: k); 1 for RECONSTRUCTION, 0 for VECTOR and NONE.
 *
 * first_class, DETECTIONS: score columns before it are skipped (1 where column 0 is "background"); the class
 * reported is column - first_class. Otherwise 0.
 */
#define SZ_MAX_RESULTS 64u

struct sz_head_record { /* 48 bytes */
    uint8_t kind;
    uint8_t flags;
    uint16_t max_results;
    uint16_t first_class;
    uint16_t reserved;
    uint16_t tensors[4]; /* unused: SZ_NONE. Arena tensors named here must be outputs of the graph */
    float floats[SZ_HEAD_FLOATS];
};

struct sz_graph_header { /* 192 bytes */
    uint32_t magic;
    uint32_t byte_length;
    uint16_t version;
    uint16_t target; /* enum sz_target */
    uint16_t tensor_count;
    uint16_t op_count;
    uint16_t segment_count;
    uint16_t input; /* tensor: the graph's one input, in the arena, f32 or i8 */
    uint16_t output_count;
    uint16_t band_ops; /* so many operators at the beginning run together, row by row (bands.h); 0: none */
    uint32_t arena_size;
    uint32_t reserved1;
    uint16_t outputs[SZ_MAX_GRAPH_OUTPUTS]; /* tensors in the arena; unused: SZ_NONE */
    /* A u8 frame becomes real values u * input_a[c] + input_b[c], where c is the input's channel if it has at
     * most four, otherwise 0. Put the same value into all four unless channels differ. Finite. */
    float input_a[4];
    float input_b[4];
    uint32_t reserved2[16];
    struct sz_head_record head;
};

struct sz_tensor_record { /* 40 bytes */
    uint8_t dtype;
    uint8_t place;
    uint8_t rank;     /* 1..4 */
    uint8_t layout;   /* enum sz_layout */
    uint16_t segment; /* SZ_WEIGHTS: index of the segment; SZ_ARENA: 0 */
    uint16_t reserved1;
    uint32_t dims[SZ_MAX_RANK]; /* each >= 1 */
    float scale;                /* i8: > 0 and finite; otherwise 0 */
    int32_t zero_point;         /* i8: -128..127; otherwise 0 */
    uint32_t offset;            /* multiple of SZ_ALIGNMENT */
    uint32_t bytes;             /* exactly the product of dims times the element size; packed: as packing.h */
};

struct sz_op_record { /* 96 bytes */
    uint8_t code;
    uint8_t activation;
    uint8_t input_count;  /* slots used in inputs, including optional ones that are SZ_NONE */
    uint8_t output_count; /* 1 for every operator so far */
    uint16_t scratch;     /* an i8 vector in the arena that only this operator uses while it runs, at least as
                             long as sz_scratch_needed() says; SZ_NONE where that is 0 */
    uint16_t reserved;
    uint16_t inputs[SZ_MAX_OP_INPUTS];
    uint16_t outputs[SZ_MAX_OP_OUTPUTS];
    int32_t ints[SZ_OP_INTS];
    float floats[SZ_OP_FLOATS];
};

_Static_assert(sizeof(struct sz_head_record) == 48, "record size");
_Static_assert(sizeof(struct sz_graph_header) == 192, "record size");
_Static_assert(sizeof(struct sz_tensor_record) == 40, "record size");
_Static_assert(sizeof(struct sz_op_record) == 96, "record size");

#endif
