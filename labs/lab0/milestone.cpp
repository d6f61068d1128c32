// Milestone of lab 0: softmax regression learns ten digits that the program draws itself, and its weights are drawn as ten
// pictures. All four exercises work here: the pictures go through the IDX format, the weights are put into the picture pixel by
// pixel, and the loss of the test pictures is a log-sum-exp.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/error.h"
#include "data/image/image.h"
#include "data/sets/glyphs.h"
#include "data/sets/idx.h"
#include "labs/common/milestone.h"
#include "labs/lab0/pixel.h"
#include "labs/lab0/softmax_regression.h"
#include "tensor/ops/reduce.h"
#include "tensor/plain.h"
#include "tensor/rng.h"

using namespace vitrail;

namespace {

constexpr int64_t kDigits = 10, kPixels = kGlyphSize * kGlyphSize;
constexpr int64_t kInputs = kPixels + 1;  // the last input is always 1: its weights are the biases
constexpr int64_t kTrain = 5000, kTest = 2000, kPasses = 12, kBatch = 50;
constexpr double kRate = 0.5;

struct Digits {
  std::vector<float> pixels;  // [count, kInputs], in [0, 1]
  std::vector<int64_t> labels;
  lab::Examples examples() const {
    return {pixels.data(), labels.data(), static_cast<int64_t>(labels.size()), kInputs, kDigits};
  }
};

void append_number(std::vector<uint8_t>& file, int64_t number) {
  for (const int shift : {24, 16, 8, 0}) file.push_back(static_cast<uint8_t>(number >> shift));
}

// Drawn digits as an IDX file, then read by the framework: the header is the student's.
Digits draw_digits(int64_t count, uint64_t stream) {
  std::vector<uint8_t> file{0, 0, 8, 3};
  for (const int64_t extent : {count, kGlyphSize, kGlyphSize}) append_number(file, extent);
  const size_t header = file.size();
  file.resize(header + static_cast<size_t>(count * kPixels));
  Digits digits;
  for (int64_t i = 0; i < count; ++i) {
    digits.labels.push_back((i * 7 + i / kDigits) % kDigits);
    const auto picture = std::span(file).subspan(header + static_cast<size_t>(i * kPixels), kPixels);
    draw_glyph(digits.labels.back(), Rng(2026, stream).at(static_cast<uint64_t>(i)), picture);
  }
  const Tensor pictures = decode_idx(file, "drawn digits", 3);
  const uint8_t* bytes = pictures.data<uint8_t>();
  for (int64_t i = 0; i < pictures.size(0); ++i) {
    for (int64_t j = 0; j < kPixels; ++j) digits.pixels.push_back(static_cast<float>(bytes[i * kPixels + j]) / 255);
    digits.pixels.push_back(1);
  }
  return digits;
}

struct Result {
  double accuracy, loss;
};

Result test(const Digits& digits, const std::vector<double>& weights) {
  const int64_t count = static_cast<int64_t>(digits.labels.size());
  Tensor scores = zeros({count, kDigits}, Dtype::f64);
  auto* s = scores.mutable_data<double>();
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t j = 0; j < kInputs; ++j) {
      for (int64_t c = 0; c < kDigits; ++c) s[i * kDigits + c] += digits.pixels[i * kInputs + j] * weights[j * kDigits + c];
    }
  }
  const PlainGuard plain("reduce");  // so that logsumexp() is the student's
  const Tensor totals = logsumexp(scores, {1});
  Result result{0, 0};
  for (int64_t i = 0; i < count; ++i) {
    const double* row = s + i * kDigits;
    result.loss += totals.at({i}) - row[digits.labels[i]];
    result.accuracy += std::max_element(row, row + kDigits) - row == digits.labels[i];
  }
  return {result.accuracy / static_cast<double>(count), result.loss / static_cast<double>(count)};
}

// The weights of each class as a picture, kZoom times as large: grey is 0, lighter speaks for the class, darker against it.
Tensor templates(const std::vector<double>& weights) {
  constexpr int64_t kZoom = 4, kSide = kGlyphSize * kZoom;
  double largest = 0;
  for (int64_t j = 0; j < kPixels * kDigits; ++j) largest = std::max(largest, std::abs(weights[j]));
  Tensor pictures = empty({kDigits, 1, kSide, kSide}, Dtype::u8);
  uint8_t* out = pictures.mutable_data<uint8_t>();
  for (int64_t c = 0; c < kDigits; ++c) {
    for (int64_t row = 0; row < kSide; ++row) {
      for (int64_t column = 0; column < kSide; ++column) {
        const int64_t pixel = lab::pixel_place(row / kZoom, column / kZoom, kGlyphSize);
        check(pixel >= 0 && pixel < kPixels, ErrorKind::kValue, "lab 0", "pixel_place() left the picture: it gave ", pixel);
        const double w = weights[pixel * kDigits + c] / largest;
        // The square root brings out the small weights.
        const double shade = 128 + 127 * std::copysign(std::sqrt(std::abs(w)), w);
        out[(c * kSide + row) * kSide + column] = static_cast<uint8_t>(std::lround(shade / 8) * 8 - (shade > 251));
      }
    }
  }
  return contact_sheet(pictures, 5, 4);
}

int draw_all(const std::string& folder) {
  const Digits train = draw_digits(kTrain, 1), test_digits = draw_digits(kTest, 2);
  std::vector<double> weights(kInputs * kDigits, 0.0);
  for (int64_t pass = 0; pass < kPasses; ++pass) {
    const double loss = lab::train_softmax_regression(train.examples(), kRate, kBatch, weights.data());
    if (pass == 0 || pass + 1 == kPasses) std::printf("pass %2d: loss %.3f\n", static_cast<int>(pass + 1), loss);
  }
  const Result result = test(test_digits, weights);
  std::printf("lab 0: ten templates read %.1f %% of %d new digits (loss %.3f)\n", 100 * result.accuracy,
              static_cast<int>(kTest), result.loss);
  write_png(folder + "/lab0.png", templates(weights));
  const bool learnt = result.accuracy > 0.7;
  if (!learnt) std::printf("That is below 70 %%, the reference reads about 90: something is still wrong.\n");
  return learnt ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return lab::milestone(argc, argv, draw_all); }
