// Muon: momentum whose update of a matrix is made orthogonal, so that all its directions move equally far.
#pragma once

#include "train/optim/optim.h"

namespace vitrail {

// An approximation of the nearest matrix with orthonormal rows or columns: of U V^T for g = U S V^T. From X = g / ||g||_F, five
// times X = a X + (b A + c A^2) X with A = X X^T, (a, b, c) = (3.4445, -4.7750, 2.0315): singular values above about 0.005 of
// ||g||_F end in [0.68, 1.13]. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024. g [M, N], float; a
// zero matrix stays one. Error(kShape) for another rank.
Tensor orthogonalized(const Tensor& g);

struct MuonOptions {
  double momentum = 0.95;
  bool nesterov = true;
  AdamOptions adam{};  // of the groups that are not orthogonal
};

// For the groups that are `orthogonal`, a parameter [M, ...] taken as the matrix [M, N]:
//   m = mu m + (1 - mu) g;  u = nesterov ? mu m + (1 - mu) g : m;  p = (1 - lr wd) p - 0.2 sqrt(max(M, N)) lr orthogonalized(u).
// The factor gives the update the size that AdamW's has (Liu et al., arXiv:2502.16982, section 2.2), so one learning rate and one
// weight decay serve both. The other groups are updated by AdamW.
class Muon final : public Optimizer {
 public:
  // Error(kValue) for a momentum outside [0, 1), options that AdamW refuses, or a parameter of rank below 2 in an orthogonal group.
  explicit Muon(std::vector<ParamGroup> groups, const MuonOptions& options = {});
  const char* name() const override { return "muon"; }

 private:
  void update(const Chunk<float>& c) const override;
  void update(const Chunk<double>& c) const override;
  bool as_whole(const ParamGroup& group) const override { return group.orthogonal; }
  void update_whole(const Whole& w) const override;
  MuonOptions options_;
};

// make_param_groups(), with the hidden matrices in an orthogonal group of their own: all parameters of rank 2 or more that decay,
// but the first (the patch embedding, or the first convolution of a tokenizer), the heads, and single rows or columns.
std::vector<ParamGroup> make_muon_groups(nn::Module& module, double weight_decay);

}  // namespace vitrail
