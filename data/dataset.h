// Annotated images by number: the interface that training, evaluation and examples read, and its simplest forms.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/target.h"
#include "tensor/tensor.h"

namespace vitrail {

// A part of a set. kValidation is what training is tested on: where a set has no such part, its test part, and the other way
// round.
enum class Split { kTrain, kValidation, kTest };

// "train", "val", "test"
const char* name_of(Split split);

// What is known of a data set without opening a single image.
struct DatasetInfo {
  std::string name;  // "fashion-mnist", "glyphs", ...
  int64_t channels = 1, height = 0, width = 0;
  std::vector<std::string> class_names;
  // Per channel, of pixels scaled to [0, 1], measured on the training images.
  std::vector<double> mean, std;
  // A mirrored image still belongs to its class (clothes do, digits do not).
  bool mirror_keeps_class = false;
  std::optional<Split> part{};  // which part of a set these pictures are, where that is told apart
  bool multi_label = false;     // a picture has any number of the classes: Target::classes, not Target::label
};

// What a result on these pictures is called: "validation" on a validation part, and on what was held out of a training part;
// else "test".
const char* result_name(const DatasetInfo& info);

struct Sample {
  Tensor image;  // u8 [C, H, W]
  Target target;
};

// sample() and label() may be called from several threads at once.
class Dataset {
 public:
  // Error(kValue) if the extents are not positive, there are no classes, or mean and std are not one per channel with
  // std > 0.
  explicit Dataset(DatasetInfo info);
  virtual ~Dataset() = default;

  virtual int64_t size() const = 0;
  // Error(kValue) unless 0 <= index < size().
  virtual Sample sample(int64_t index) const = 0;
  // sample(index).target.label, without the image where that is cheaper.
  virtual int64_t label(int64_t index) const { return sample(index).target.label; }
  // All classes of the sample, ascending: {label(index)}, or of a multi-label set (DatasetInfo::multi_label) those that are on
  // the picture, perhaps none; label() is -1 there.
  virtual std::vector<int64_t> labels(int64_t index) const;
  // What a person finds the sample by: the path of its file, else "NAME 17".
  virtual std::string sample_name(int64_t index) const;
  // Whether sample() reads and decodes a file: worth keeping in memory (data/cached.h).
  virtual bool reads_files() const { return false; }

  const DatasetInfo& info() const { return info_; }
  const std::string& name() const { return info_.name; }
  int64_t channels() const { return info_.channels; }
  int64_t height() const { return info_.height; }
  int64_t width() const { return info_.width; }
  const std::vector<std::string>& class_names() const { return info_.class_names; }
  int64_t num_classes() const { return static_cast<int64_t>(info_.class_names.size()); }

 protected:
  void check_index(int64_t index) const;

 private:
  DatasetInfo info_;
};

using DatasetPtr = std::shared_ptr<const Dataset>;

// The samples of each class, ascending. Of a multi-label set each sample stands once, under the rarest of its classes (of
// equally rare ones the lowest), and one group more holds those without a class.
std::vector<std::vector<int64_t>> strata(const Dataset& data);
// The target of a multi-label sample with these classes.
Target several(const std::vector<int64_t>& labels, int64_t classes);
// Error(kValue) naming op if the set is multi-label: for what one answer a picture is needed for.
void require_one_label(const Dataset& data, const char* op);

// *dataset. Error(kValue) naming op if the pointer is null.
const Dataset& given(const DatasetPtr& dataset, const char* op);

// All images in one tensor.
class MemoryDataset : public Dataset {
 public:
  // images u8 [N, C, H, W] as in info, labels i64 [N] in [0, classes). Error(kShape) or Error(kData) with the numbers.
  MemoryDataset(DatasetInfo info, Tensor images, Tensor labels);

  int64_t size() const override { return labels_.numel(); }
  Sample sample(int64_t index) const override;
  int64_t label(int64_t index) const override;

  const Tensor& images() const { return images_; }

 private:
  Tensor images_, labels_;
};

// Some samples of another data set, in the order of `indices`.
class SubsetDataset : public Dataset {
 public:
  // Error(kValue) if `whole` is null or an index lies outside it.
  SubsetDataset(DatasetPtr whole, std::vector<int64_t> indices);

  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  Sample sample(int64_t index) const override;
  int64_t label(int64_t index) const override;
  std::vector<int64_t> labels(int64_t index) const override;
  std::string sample_name(int64_t index) const override;
  bool reads_files() const override { return whole_->reads_files(); }

 private:
  DatasetPtr whole_;
  std::vector<int64_t> indices_;
};

// The first min(n, size) samples; n >= 1 and a data set, else Error(kValue).
DatasetPtr first_n(DatasetPtr whole, int64_t n);

// min(n, size) samples at even distances: of a data set that is sorted by class, some of each. n >= 1 and a data set, else
// Error(kValue).
DatasetPtr spread_n(DatasetPtr whole, int64_t n);

// min(n, size) samples drawn by seed, from each class in proportion to its size: the parts are rounded so that together they
// are n (largest remainders first, of equal ones the lower class), and with n >= the number of classes none is left out. They
// keep the order of the whole. A multi-label sample counts as of its rarest class (strata()). n >= 1 and a data set, else
// Error(kValue).
DatasetPtr stratified_n(DatasetPtr whole, int64_t n, uint64_t seed);

// Two disjoint parts that together are the whole. From each class, round(fraction * its size) samples drawn by seed go to
// the second part; both parts keep the order of the whole. fraction in [0, 1], else Error(kValue).
std::pair<DatasetPtr, DatasetPtr> stratified_split(const DatasetPtr& whole, double fraction, uint64_t seed);

}  // namespace vitrail
