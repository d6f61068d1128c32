// Layer normalisation and RMS normalisation over the last axis D, and their gradients. weight and bias are [D] or undefined (1
// and 0); the statistics are f64, one for each row. dweight and dbias are filled in where they are defined.
#pragma once

#include "tensor/tensor.h"

namespace vitrail::reference {

void layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, Tensor y, Tensor mean, Tensor rstd);
void layer_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean, const Tensor& rstd,
                         Tensor dx, Tensor dweight, Tensor dbias);

void rms_norm(const Tensor& x, const Tensor& weight, double eps, Tensor y, Tensor rrms);
void rms_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rrms, Tensor dx, Tensor dweight,
                       Tensor dbias);

}  // namespace vitrail::reference
