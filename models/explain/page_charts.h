// The charts of the page of an explanation, as inline SVG in the colours of the page.
#pragma once

#include <string>
#include <vector>

#include "models/explain/perturbation.h"

namespace vitrail::models::explain {

struct CurveSeries {
  std::string name;
  std::string style;  // class of its colour: "s0" to "s3", with " dashed" or not
  const Curve* curve;
};
// Probability over the share of patches changed, with a key.
std::string curve_chart(const std::string& title, const std::vector<CurveSeries>& series);

// A dot for each head over its layer; the dashed line is `even`, the distance of attention that is the same everywhere. [L, H]
std::string distance_chart(const Tensor& distances, double even);

}  // namespace vitrail::models::explain
