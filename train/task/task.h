// What a model is trained for. Trainer, evaluation, progress line, saved model and commands know a task only through this
// interface; classification (train/task/classification.h) is its first implementation, and detection, segmentation and
// captions fit it as well (tests/train/task_test.cpp trains two tasks that are no classification).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "autograd/variable.h"
#include "base/json_writer.h"
#include "data/batch.h"
#include "data/dataset.h"
#include "models/classifier.h"
#include "models/weights/save.h"
#include "nn/module.h"
#include "train/task/details.h"
#include "train/task/scores.h"

namespace vitrail {

class Loader;
struct LoaderOptions;

// What a model says of one picture; each task fills its own part.
struct Prediction {
  Tensor logits;                         // classification, of one label or several: f32 [K]
  Tensor boxes, box_labels, box_scores;  // detection: f32 [M, 4] as in Target, i64 [M], f32 [M]
  Tensor mask;                           // segmentation: u8 [H, W]
  Tensor embedding;                      // contrastive learning: f32 [D]
};

// The loss of one batch.
struct Loss {
  Variable total;  // what is differentiated: one element
  Scores parts;    // what the progress line shows beside it; means over the images of the batch
};

// Sees a whole data set, batch by batch.
class Metric {
 public:
  virtual ~Metric() = default;
  virtual void add(const Batch& batch, const std::vector<Prediction>& predictions) = 0;
  virtual Scores result() const = 0;
  // What is measured beside: shown where it is asked for, as TrainConfig::eval_metric and `vitrail eval` do.
  virtual Scores more() const { return {}; }
  // Sentences for the user about the result: an accuracy that is no better than guessing, say.
  virtual std::vector<std::string> notes() const { return {}; }
  // Material for the report: confusions, calibration, pictures worth a look. Null if the task has none.
  virtual std::shared_ptr<const EvaluationDetails> details() const { return nullptr; }
};

class Task {
 public:
  virtual ~Task() = default;

  virtual std::string name() const = 0;  // in the saved model: "classification"
  virtual nn::Module& model() = 0;
  // The model's configuration as JSON, and what a saved model must know beside it; card.training is left to the caller.
  virtual std::string architecture() const = 0;
  virtual ModelCard card() const = 0;

  // Error(kValue) if the targets of the data set do not fit the model.
  virtual void check_data(const Dataset& data) const = 0;
  // Sentences for the user about training data that can hardly teach anything.
  virtual std::vector<std::string> notes(const Dataset& train) const;
  // Before training: what the loss must know of the whole training set, such as the frequencies of its classes.
  virtual void see(const Dataset&) {}
  // The training loss of the best answer that does not look at the picture (for classes alike in size: ln C): a run whose loss
  // stays there has learnt nothing. None where the task has no such number, and before see().
  virtual std::optional<double> guess_loss() const { return std::nullopt; }

  // rng: augmentation for training, a function of (seed, epoch, sample); null: evaluation. Called from several threads at once.
  virtual Example prepare(const Sample& sample, const Rng* rng) const = 0;
  virtual Batch collate(std::vector<Example> examples) const;

  // The classifier whose stages this task lets a run keep (Batch::stages, models/classifier.h); null: it needs pictures.
  virtual models::Classifier* staged_model() { return nullptr; }
  virtual Loss loss(const Batch& batch) = 0;
  // In evaluation mode, without gradients: both are the caller's business. One prediction per image of the batch.
  virtual std::vector<Prediction> predict(const Batch& batch) = 0;
  virtual std::unique_ptr<Metric> metric() const = 0;

  // The prediction for one picture from those for several views of it: mean_prediction() (train/task/test_time.h), or the
  // task's own.
  virtual Prediction mean_of_views(const std::vector<Prediction>& views) const;

  // "accuracy 97.31 %, top-5 99.40 %, loss 0.1234"
  virtual std::string summary(const Scores& scores) const;
  // A prediction for people (one line), for programs (the value of a key), and as a picture u8 [3, H, W]. `top`: how many
  // answers to give.
  virtual std::string to_text(const Prediction& prediction, int64_t top) const = 0;
  virtual void to_json(JsonWriter& json, const Prediction& prediction, int64_t top) const = 0;
  virtual Tensor draw(const Sample& sample, const Prediction& prediction) const = 0;
};

// The prediction for one picture u8 [C, H, W], whatever its size. Error(kNumeric) if the answer is not finite.
Prediction predict_one(Task& task, const Tensor& picture);

// The loader of a task's examples (data/loader.h).
Loader make_loader(const Task& task, DatasetPtr data, const LoaderOptions& options);

// The task that a saved model was trained for, with the model in evaluation mode. Error(kData) naming the file if the task is
// unknown, the weights do not fit, or the model cannot say a class: it has no head, or one of zeros. `origin` becomes that of
// another program's model, else null.
std::unique_ptr<Task> load_task(const std::string& path, ModelCard* card = nullptr, const OpenOptions& options = {},
                                std::shared_ptr<Origin>* origin = nullptr);
// The same of a model that has been read.
std::unique_ptr<Task> make_task(SavedModel saved, ModelCard* card = nullptr, std::shared_ptr<Origin>* origin = nullptr);

}  // namespace vitrail
