// Every operator that we have against the independent test vectors of the ONNX suite: one safetensors file per call, from
// the folder in VITRAIL_OP_VECTORS. Skipped, with a message, where the folder is not at hand.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "tests/runop/onnx_vector.h"

using namespace vitrail;

namespace {

// torch.testing's defaults for f32 (reliability.md R-N5); f64 as good as it gets.
struct Tolerance {
  double relative, absolute;
};

Tolerance tolerance_of(Dtype dtype) { return dtype == Dtype::f64 ? Tolerance{1e-7, 1e-12} : Tolerance{1.3e-6, 1e-5}; }

// One vector of the suite states its expectation to four digits only: 0.2841 for 0.284044.
bool stated_roughly(const std::filesystem::path& path) {
  return path.stem() == "test_averagepool_2d_ceil_last_window_starts_on_pad";
}

// "" if the two agree, else where and how they do not.
std::string difference(const Tensor& ours, const Tensor& expected, bool rough) {
  if (ours.shape() != expected.shape()) return cat("shape ", ours.shape(), " instead of ", expected.shape());
  const std::vector<double> a = to_vector<double>(ours), b = to_vector<double>(expected);
  const Tolerance t = rough ? Tolerance{0, 1e-4} : tolerance_of(expected.dtype());
  for (size_t i = 0; i < a.size(); ++i) {
    const bool same = a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i])) ||
                      std::abs(a[i] - b[i]) <= t.absolute + t.relative * std::abs(b[i]);
    if (!same) return cat("element ", i, " is ", a[i], " instead of ", b[i]);
  }
  return "";
}

enum class Outcome { kRan, kNotOurs, kUnsupported };

Outcome run_vector(const std::filesystem::path& path, std::string* op, std::string* problem) {
  const SafetensorsFile file = load_safetensors(path.string());
  for (const auto& [key, value] : file.metadata)
    if (key == "op") *op = value;
  if (onnx::operators().count(*op) == 0) return Outcome::kNotOurs;
  const onnx::StoredCall stored = onnx::stored_call(file, path.filename().string());
  const auto found = onnx::operators().find(stored.op);
  onnx::Outputs outputs;
  try {
    outputs = onnx::apply(found->second, stored.call);
  } catch (const onnx::Unsupported& reason) {
    *op += std::string(" (") + reason.what() + ")";
    return Outcome::kUnsupported;
  }
  for (size_t i = 0; i < stored.outputs.size() && problem->empty(); ++i) {
    if (!stored.outputs[i].defined()) continue;
    *problem = i < outputs.size() && outputs[i].defined()
                   ? difference(outputs[i].value(), stored.outputs[i], stated_roughly(path))
                   : cat("output ", i, " is missing");
  }
  return Outcome::kRan;
}

}  // namespace

TEST_CASE("our operators give what the ONNX suite expects") {
  const char* folder = std::getenv("VITRAIL_OP_VECTORS");
  if (!folder || !std::filesystem::is_directory(folder)) {
    MESSAGE("skipped: set VITRAIL_OP_VECTORS to a folder of ONNX operator vectors");
    return;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  REQUIRE_FALSE(files.empty());
  int ran = 0;
  std::map<std::string, int> skipped;
  for (const auto& path : files) {
    std::string op, problem;
    CAPTURE(path.filename().string());
    Outcome outcome = Outcome::kRan;
    try {
      outcome = run_vector(path, &op, &problem);
    } catch (const std::exception& e) {
      problem = e.what();
    }
    CHECK_MESSAGE(problem.empty(), problem);
    outcome == Outcome::kRan ? ++ran : ++skipped[op];
  }
  std::string list;
  for (const auto& [op, count] : skipped) list += (list.empty() ? "" : "; ") + op + " x" + std::to_string(count);
  MESSAGE(ran << " vectors ran, " << files.size() - static_cast<size_t>(ran) << " skipped: " << list);
  CHECK(ran > 0);
}
