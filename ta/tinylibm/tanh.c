/* tanh(x) = (exp(2x) - 1) / (exp(2x) + 1). */
#include "tinylibm.h"

float sz_tanhf(float x)
{
    float magnitude = sz_fabsf(x);
    if (x != x)
        return x + x;
    double d = (double)x;
    if (magnitude < 0x1p-10f) /* x^5 is below 2^-40 of x; the subtraction below would lose too much */
        return (float)(d * (1.0 - d * d / 3.0)); /* keeps -0 */
    if (magnitude > 10.0f)                       /* 1 - 2 exp(-20) rounds to 1 */
        return x > 0 ? 1.0f : -1.0f;
    double e = sz_exp_wide(2.0 * d);
    return (float)((e - 1.0) / (e + 1.0));
}
