/* Graphs that use many features at once, for the tests that alter, interrupt or misuse them. */
#ifndef SZ_TEST_ENGINE_SAMPLES_H
#define SZ_TEST_ENGINE_SAMPLES_H

#include "engine_builder.h"

/* int8 classifier: convolution, depthwise, add in place, pooling, reshape in place, fully connected, softmax;
 * top-k head; weights in two segments. */
void sample_classifier(struct builder *b);

/* float32 detector: convolutions to boxes and scores on 4 anchors, concat of parts that already lie in place;
 * weighted detection head. */
void sample_detector(struct builder *b);

/* int8 detector: a convolution to the cells of two maps of 2 x 2 and 1 x 1 cells with two anchors each, three
 * classes; concat of maps of unequal quantisation; detection head over cells, sigmoid or softmax. */
void sample_cells(struct builder *b);

/* int8 autoencoder of 16 values with reconstruction head. */
void sample_autoencoder(struct builder *b);

/* float32 and int8: pad, slice, transpose, resize, pooling, mean, mul, prelu, conversions; vector head. */
void sample_layout(struct builder *b);

/* Weights of any content in the packing of this machine's kernels. */
uint16_t sample_weights(struct builder *b, uint8_t layout, uint8_t dtype, struct shape shape);

/* For this machine's own kernels: packed weights of both types, parts of an output, scratch, depthwise in
 * place, slices in place and moved. Operators: 0 and 1 the parts of a convolution, 2 depthwise, 3 and 4
 * slices, 5 dequantise, 6 convolution, 7 and 8 the parts of fully connected. False: this machine has no
 * kernels of its own. */
bool sample_packed(struct builder *b);

/* For this machine's own kernels: a stage in bands. Operators: 0 convolution of the whole input, 1 pointwise
 * convolution, 2 depthwise, 3 pointwise convolution, 4 leaky ReLU, 5 add, then the mean of it. False as
 * above. */
bool sample_bands(struct builder *b);

#endif
