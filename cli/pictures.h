// Pictures that are named on the command line: which they are, and reading many of them on all processors.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/preprocessing.h"
#include "models/classifier.h"
#include "tensor/tensor.h"

namespace vitrail::cli {

// What is named: a file as it is; for a folder all pictures in and below it, in natural order (base/natural_order.h); for "-"
// the lines of standard input, empty ones left out. Error(kIo) for a folder that cannot be read, Error(kData) for one without a
// picture and for a line of more than 4096 bytes.
std::vector<std::string> picture_paths(const char* op, const std::vector<std::string>& named);

// The pictures in and below a folder, in natural order. Errors as above.
std::vector<std::string> pictures_in(const char* op, const std::string& folder);

// A picture that was read, or why it could not be.
struct ReadPicture {
  std::string file;
  std::vector<Tensor> views;  // f32 [C, H, W] each: what the model is to look at
  std::vector<std::string> warnings;
  std::optional<Error> error;
};

// The pixels of a file, u8 [C, H, W]; writes the decoder's note.
using DecodePicture = std::function<Tensor(const std::string& file, std::string* note)>;
// From pixels to what the model looks at.
using PrepareViews = std::function<std::vector<Tensor>(const Tensor& picture)>;

// The usual ones: read_image with the options of the preprocessing, and preprocess() alone.
DecodePicture decode_for(const Preprocessing& preprocessing);
PrepareViews one_view(const Preprocessing& preprocessing);

// In parallel, a picture a thread; the results are in the order of the files. A picture that cannot be read has an error; one
// for which memory is short ends all.
std::vector<ReadPicture> read_pictures(std::span<const std::string> files, const Preprocessing& preprocessing,
                                       const DecodePicture& decode, const PrepareViews& prepare);

// pooled_features of pictures in files, f32 [N, D], in groups of 32. A picture that cannot be read is thrown as its error, or
// with `skipped` left out and named there; warnings are printed as notes. Undefined if none could be read.
Tensor features_of_files(models::Classifier& model, const std::vector<std::string>& files, const Preprocessing& preprocessing,
                         std::vector<ReadPicture>* skipped = nullptr);

}  // namespace vitrail::cli
