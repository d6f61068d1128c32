// Reading pictures, one thread: resizing by each filter; with files as arguments also decoding them, whole and at a fraction of
// their size, and what the fraction changes in the model's input. make bench-picture ARGS="photo.jpg ..."
#include <cmath>
#include <cstdlib>

#include "base/file.h"
#include "bench/timing.h"
#include "data/preprocessing.h"
#include "tensor/view.h"

using namespace vitrail;

namespace {

// ImageNet's usual recipe, in bytes: mean 0, std 1, no rescaling.
Preprocessing recipe() {
  Preprocessing p{.height = 224, .width = 224, .mean = {0, 0, 0}, .std = {1, 1, 1}, .rescale = 1};
  p.resize = ResizeMode::kShortSide, p.resize_height = p.resize_width = 256, p.interpolation = Resample::kBicubic;
  return p;
}

void time_resizing() {
  const Tensor image = to(rand_int({3, 375, 500}, 0, 256, Rng(1)), Dtype::u8);
  std::printf("resizing 500 x 375 to 341 x 256, cut to 224 x 224\n");
  const std::pair<const char*, Resample> filters[] = {{"nearest", Resample::kNearest},   {"box", Resample::kBox},
                                                      {"bilinear", Resample::kBilinear}, {"hamming", Resample::kHamming},
                                                      {"bicubic", Resample::kBicubic},   {"lanczos", Resample::kLanczos}};
  for (const auto& filter : filters) {
    Preprocessing p = recipe();
    p.interpolation = filter.second;
    std::printf("  %-10s %7.3f ms\n", filter.first, 1e3 * bench::median_seconds([&] { preprocess(image, p); }));
  }
}

struct Work {
  double decoding = 0, preprocessing = 0;  // seconds a picture
  double mean = 0, largest = 0;            // difference of the model's input from that of whole decoding, in levels
};

// `pixels`: how many decoded pixels of the short side there must be for each of the resized picture; 0: whole.
Work time_decoding(const std::vector<std::string>& files, const std::vector<Tensor>& contents, int64_t pixels) {
  const Preprocessing p = recipe();
  const DecodeOptions options{.min_side = pixels * p.resize_height};
  Work work;
  const auto count = static_cast<double>(files.size());
  for (size_t i = 0; i < files.size(); ++i) {
    const std::span<const uint8_t> bytes(contents[i].data<uint8_t>(), static_cast<size_t>(contents[i].numel()));
    const double start = bench::now();
    const Tensor image = decode_image(bytes, files[i], options);
    const double decoded = bench::now();
    const Tensor x = preprocess(image, p);
    work.decoding += (decoded - start) / count, work.preprocessing += (bench::now() - decoded) / count;
    if (pixels == 0) continue;
    const Tensor whole = preprocess(decode_image(bytes, files[i]), p);
    for (int64_t j = 0; j < x.numel(); ++j) {
      const double gap = std::abs(x.data<float>()[j] - whole.data<float>()[j]);
      work.mean += gap / (count * static_cast<double>(x.numel())), work.largest = std::max(work.largest, gap);
    }
  }
  return work;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> files(argv + 1, argv + argc);
  time_resizing();
  if (files.empty()) return 0;
  std::vector<Tensor> contents;
  for (const std::string& file : files)
    contents.push_back(from_vector(read_file(file), {static_cast<int64_t>(read_file(file).size())}));
  std::printf("\n%zu files                        decode   preprocess   difference: mean, largest\n", files.size());
  for (const int64_t pixels : {0, 2, 1}) {
    const Work w = time_decoding(files, contents, pixels);
    const std::string name = pixels == 0 ? "whole" : cat("at least ", pixels, " pixels for one");
    std::printf("  %-26s %7.3f ms %9.3f ms %8.2f %6.0f levels\n", name.c_str(), 1e3 * w.decoding, 1e3 * w.preprocessing, w.mean,
                w.largest);
  }
  return 0;
}
