// Lab 10, exercise 10.5: attention without its matrix of probabilities. Source: Dao et al., "FlashAttention", arXiv:2205.14135,
// algorithms 1 and 4; Rabe and Staats, arXiv:2112.05682. The framework's own: tensor/kernels/attention_tiled_*.cpp.
//   S_ij = scale sum_d q_id k_jd,   P = softmax of each row of S,   O_id = sum_j P_ij v_jd
#pragma once

#include <cstdint>

namespace lab {

// One head. Q and O are [queries, width], K and V [keys, width], row-major without gaps.
struct AttentionSize {
  int64_t queries = 0, keys = 0, width = 0;
  double scale = 1;
  int64_t tile = 1;  // keys that are looked at together (>= 1); the last tile may be smaller
};

// O, and logsum_i = log sum_j e^(S_ij), all that backward needs to know of row i. Takes memory for one tile of scores and one
// row of O, whatever the number of keys. keys >= 1.
void tiled_attention(const AttentionSize& size, const double* q, const double* k, const double* v, double* out, double* logsum);

// dQ, dK and dV, which overwrite what is there. P_ij = e^(S_ij - logsum_i) is computed again where it is needed, and never
// kept.
//   dV_jd = sum_i P_ij dO_id,   dS_ij = P_ij (sum_d dO_id v_jd - sum_d dO_id O_id),
//   dQ_id = scale sum_j dS_ij k_jd,   dK_jd = scale sum_i dS_ij q_id
void tiled_attention_backward(const AttentionSize& size, const double* q, const double* k, const double* v, const double* out,
                              const double* logsum, const double* dout, double* dq, double* dk, double* dv);

}  // namespace lab
