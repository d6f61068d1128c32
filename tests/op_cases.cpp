#include "tests/op_cases.h"

#include "tests/op_cases_parts.h"

namespace vitrail::testing {

std::vector<OpCase> op_cases() {
  std::vector<OpCase> all;
  for (auto part : {shape_cases, elementwise_cases, reduce_cases, index_cases, product_cases, norm_cases, image_cases,
                    loss_cases, regularisation_cases}) {
    std::vector<OpCase> cases = part();
    all.insert(all.end(), cases.begin(), cases.end());
  }
  return all;
}

}  // namespace vitrail::testing
