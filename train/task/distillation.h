// Knowledge distillation: a model that learns from a trained one's answers beside the labels (Hinton et al., arXiv:1503.02531;
// Touvron et al., "Training data-efficient image transformers & distillation through attention", arXiv:2012.12877, section 4).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "autograd/variable.h"
#include "data/preprocessing.h"
#include "models/classifier.h"
#include "models/weights/save.h"
#include "train/config.h"

namespace vitrail {

enum class DistillationKind { kNone, kSoft, kHard };

struct DistillationOptions {
  DistillationKind kind = DistillationKind::kNone;
  double alpha = 0.5;
  double temperature = 3;
};
DistillationOptions distillation_options(const TrainConfig& config);

// What imitating the teacher costs, the mean over the images: student [B, K] and teacher [B, K] logits of the same classes.
//   soft  T^2 KL(softmax(teacher / T) || softmax(student / T))        equation 2; the sum over the classes, as there
//   hard  -log softmax(student)[argmax teacher]                       equation 3; of equal logits the first
// `weights` [B] or undefined: what each image counts. The teacher gets no gradient.
Variable imitation_loss(const Variable& student, const Tensor& teacher, const DistillationOptions& options,
                        const Tensor& weights = {});
// (1 - alpha) label + alpha imitation; with alpha 1/2, hard is equation 3.
Variable distilled_loss(const Variable& label, const Variable& imitation, const DistillationOptions& options);

// A trained model that is asked, and never changed: in evaluation, without a graph.
class Teacher {
 public:
  // For a student with these classes, whose pictures come as `student` says. A class is the teacher's of the same name, byte by
  // byte. Error(kValue) naming `file` and the classes that the teacher does not know, or knows twice.
  Teacher(std::shared_ptr<models::Classifier> model, const ModelCard& card, const Preprocessing& student,
          const std::vector<std::string>& class_names, const std::string& file);

  // Its logits [B, K] for the student's classes. images [B, C, H, W] are the student's: augmented, mixed and normalised. They
  // are brought to the teacher's size (as its preprocessing interpolates), channels, mean and deviation; what is the same
  // already stays as it is, to the bit.
  Tensor logits(const Tensor& images);
  models::Classifier& model() { return *model_; }
  // "it sees the pictures of 28 x 28 resized to 224 x 224"; "" if they have its size.
  std::string note() const;

 private:
  Tensor fitted(const Tensor& images) const;

  std::shared_ptr<models::Classifier> model_;
  Preprocessing own_, student_;
  Tensor classes_;  // i64 [K]: the teacher's index of each class; undefined if they are the same
};

}  // namespace vitrail
