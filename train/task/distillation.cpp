#include "train/task/distillation.h"

#include <algorithm>

#include "autograd/modes.h"
#include "autograd/ops.h"
#include "base/text.h"
#include "tensor/ops.h"
#include "tensor/ops/resize.h"

namespace vitrail {

namespace {

// Of each class its index among the teacher's.
std::vector<int64_t> indices_of(const std::vector<std::string>& wanted, const std::vector<std::string>& known,
                                const std::string& file) {
  std::vector<std::string> unknown, twice;
  std::vector<int64_t> indices;
  for (const std::string& name : wanted) {
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end())
      unknown.push_back(name);
    else if (std::find(found + 1, known.end(), name) != known.end())
      twice.push_back(name);
    indices.push_back(found - known.begin());
  }
  check(unknown.empty(), ErrorKind::kValue, "teacher", unknown.size(), " of ", wanted.size(),
        " classes are not among those of ", escaped_path(file), ": ", listed(unknown, 5), "; it knows ", listed(known, 5),
        ". Hint: a teacher of the same classes; vitrail finetune or probe makes one.");
  check(twice.empty(), ErrorKind::kValue, "teacher", escaped_path(file), " has classes of one name: ", listed(twice, 5), ".");
  return indices;
}

// One number for each channel, for images [B, C, H, W]. A single one holds for all channels.
Tensor per_channel(const std::vector<double>& values, int64_t channels) {
  std::vector<float> row(static_cast<size_t>(channels));
  for (size_t c = 0; c < row.size(); ++c) row[c] = static_cast<float>(values[std::min(c, values.size() - 1)]);
  return from_vector(row, {1, channels, 1, 1});
}

// Pixels with so many channels; grey as in convert_channels() (data/image/image.h).
Tensor with_channels(const Tensor& pixels, int64_t channels) {
  if (pixels.size(1) == channels) return pixels;
  if (channels == 3) return contiguous(expand(pixels, {pixels.size(0), 3, pixels.size(2), pixels.size(3)}));
  const Tensor parts = from_vector(std::vector<float>{19595.0f / 65536, 38470.0f / 65536, 7471.0f / 65536}, {1, 3, 1, 1});
  return sum(pixels * parts, {1}, /*keepdim=*/true);
}

Interpolation interpolation_of(Resample filter) {
  if (filter == Resample::kNearest) return Interpolation::kNearest;
  return filter == Resample::kBicubic || filter == Resample::kLanczos ? Interpolation::kBicubic : Interpolation::kBilinear;
}

}  // namespace

DistillationOptions distillation_options(const TrainConfig& c) {
  const DistillationKind kind = c.distillation == "soft"   ? DistillationKind::kSoft
                                : c.distillation == "hard" ? DistillationKind::kHard
                                                           : DistillationKind::kNone;
  return {kind, c.distillation_alpha, c.distillation_temperature};
}

Variable imitation_loss(const Variable& student, const Tensor& teacher, const DistillationOptions& options,
                        const Tensor& weights) {
  check(student.shape() == teacher.shape() && student.dim() == 2, ErrorKind::kShape, "distillation",
        "student and teacher need logits [B, K] of one shape: student is ", student.shape(), ", teacher is ", teacher.shape(),
        ".");
  const Tensor answers = to(teacher, student.dtype());
  Variable each;  // [B]
  if (options.kind == DistillationKind::kSoft) {
    const double t = options.temperature;
    const Variable log_student = log_softmax(student / t);
    each = sum(kl_div(log_student, Variable(softmax(answers * (1 / t))), Reduction::kNone), {1}) * (t * t);
  } else {
    check(options.kind == DistillationKind::kHard, ErrorKind::kValue, "distillation", "it is neither soft nor hard.");
    CrossEntropyOptions plain;
    plain.reduction = Reduction::kNone;
    each = cross_entropy(student, argmax(answers, 1), plain);
  }
  return mean(weights.defined() ? each * Variable(to(weights, student.dtype())) : each);
}

Variable distilled_loss(const Variable& label, const Variable& imitation, const DistillationOptions& options) {
  return label * (1 - options.alpha) + imitation * options.alpha;
}

Teacher::Teacher(std::shared_ptr<models::Classifier> model, const ModelCard& card, const Preprocessing& student,
                 const std::vector<std::string>& class_names, const std::string& file)
    : model_(std::move(model)), own_(card.preprocessing), student_(student) {
  const std::vector<int64_t> indices = indices_of(class_names, card.class_names, file);
  if (class_names != card.class_names) classes_ = from_vector(indices, {static_cast<int64_t>(indices.size())});
  model_->eval();
}

Tensor Teacher::fitted(const Tensor& images) const {
  const bool resized = own_.height != student_.height || own_.width != student_.width;
  const bool alike = own_.channels == student_.channels && own_.mean == student_.mean && own_.std == student_.std &&
                     own_.rescale == student_.rescale;
  Tensor x = images;
  if (resized) {
    ResizeOptions options;
    options.mode = interpolation_of(own_.interpolation);
    options.antialias = options.mode != Interpolation::kNearest;
    x = resize(x, own_.height, own_.width, options);
  }
  if (alike) return x;
  // y = (rescale x - mean) / std backwards for the student, forwards for the teacher.
  const Tensor theirs = per_channel(student_.std, student_.channels), mean = per_channel(student_.mean, student_.channels);
  const Tensor pixels = with_channels((x * theirs + mean) * (1 / student_.rescale), own_.channels);
  return (pixels * own_.rescale - per_channel(own_.mean, own_.channels)) / per_channel(own_.std, own_.channels);
}

Tensor Teacher::logits(const Tensor& images) {
  const NoGradGuard no_grad;
  const Tensor all = (*model_)(Variable(fitted(to(images, Dtype::f32)))).value();
  return classes_.defined() ? index_select(all, 1, classes_) : all;
}

std::string Teacher::note() const {
  if (own_.height == student_.height && own_.width == student_.width) return "";
  return cat("it sees the pictures of ", student_.height, " x ", student_.width, " resized to ", own_.height, " x ",
             own_.width);
}

}  // namespace vitrail
