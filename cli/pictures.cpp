#include "cli/pictures.h"

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "base/natural_order.h"
#include "base/text.h"
#include "cli/data_options.h"
#include "data/image/image.h"
#include "data/picture_warnings.h"
#include "data/sets/walk.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "train/interrupt.h"
#include "train/probe/features.h"

namespace vitrail::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kGroup = 32;  // pictures that are in memory at a time

void add_lines(const char* op, std::vector<std::string>& paths) {
  constexpr size_t kLongest = 4096;  // Linux's PATH_MAX
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line.ends_with('\r')) line.pop_back();
    check(line.size() <= kLongest, ErrorKind::kData, op, "a line of standard input has ", line.size(),
          " bytes: it cannot be a file's name. Hint: one name a line.");
    if (!line.empty()) paths.push_back(line);
  }
}

}  // namespace

std::vector<std::string> pictures_in(const char* op, const std::string& folder) {
  Skipped skipped;
  std::vector<std::string> paths = pictures_below(folder, skipped);
  check(!paths.empty(), ErrorKind::kData, op, escaped_path(folder), ": there is no picture in this folder.");
  std::sort(paths.begin(), paths.end(), natural_less);
  if (const std::string sentence = skipped.sentence(); !sentence.empty())
    complain(cat("note: ", escaped_path(folder), ": ", sentence));
  return paths;
}

std::vector<std::string> picture_paths(const char* op, const std::vector<std::string>& named) {
  std::vector<std::string> paths;
  for (const std::string& name : named) {
    std::error_code ignored;
    if (name == "-") {
      add_lines(op, paths);
    } else if (fs::is_directory(name, ignored)) {
      const std::vector<std::string> below = pictures_in(op, name);
      paths.insert(paths.end(), below.begin(), below.end());
    } else {
      paths.push_back(name);
    }
  }
  return paths;
}

DecodePicture decode_for(const Preprocessing& preprocessing) {
  return [options = decode_options(preprocessing)](const std::string& file, std::string* note) {
    return read_image(file, options, note);
  };
}

PrepareViews one_view(const Preprocessing& preprocessing) {
  return [preprocessing](const Tensor& picture) { return std::vector<Tensor>{preprocess(picture, preprocessing)}; };
}

std::vector<ReadPicture> read_pictures(std::span<const std::string> files, const Preprocessing& preprocessing,
                                       const DecodePicture& decode, const PrepareViews& prepare) {
  std::vector<ReadPicture> pictures(files.size());
  parallel_for(static_cast<int64_t>(files.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      ReadPicture& picture = pictures[static_cast<size_t>(i)];
      picture.file = files[static_cast<size_t>(i)];
      try {
        std::string note;
        const Tensor pixels = decode(picture.file, &note);
        picture.warnings = picture_warnings(pixels, preprocessing, note);
        picture.views = prepare(pixels);
      } catch (const Error& error) {
        if (error.kind() == ErrorKind::kMemory) throw;
        picture.error = error;
      }
    }
  });
  return pictures;
}

Tensor features_of_files(models::Classifier& model, const std::vector<std::string>& files, const Preprocessing& preprocessing,
                         std::vector<ReadPicture>* skipped) {
  const DecodePicture decode = decode_for(preprocessing);
  const PrepareViews prepare = one_view(preprocessing);
  const DataProgress progress = progress_lines();
  std::vector<Tensor> parts;
  for (size_t from = 0; from < files.size(); from += kGroup) {
    const size_t count = std::min<size_t>(kGroup, files.size() - from);
    std::vector<Tensor> images;
    for (ReadPicture& picture : read_pictures(std::span(files).subspan(from, count), preprocessing, decode, prepare)) {
      for (const std::string& warning : picture.warnings) complain(cat("note: ", escaped_path(picture.file), ": ", warning));
      if (picture.error && !skipped) throw *picture.error;
      if (picture.error) {
        skipped->push_back(std::move(picture));
      } else {
        images.push_back(picture.views.front());
      }
    }
    if (!images.empty()) parts.push_back(features_of(model, stack(images, 0)));
    progress("features", static_cast<int64_t>(from + count), static_cast<int64_t>(files.size()));
    if (interrupt_signal() != 0) throw Interrupted();
  }
  return parts.empty() ? Tensor() : concat(parts, 0);
}

}  // namespace vitrail::cli
