// The test of a model on a data set.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "data/dataset.h"
#include "data/preprocessing.h"
#include "models/classifier.h"
#include "train/task/task.h"

namespace vitrail {

class Loader;

struct Evaluation {
  Scores scores;
  int64_t images = 0;
  std::vector<std::string> notes{};                    // Metric::notes()
  std::shared_ptr<const EvaluationDetails> details{};  // Metric::details()
  std::string part = "test";                           // result_name() of the data set: "validation"
  Scores more{};                                       // Metric::more()

  // scores, then more.
  Scores all() const;
  // A score by name: at("top1"). Error(kValue) if there is none.
  double at(const std::string& name) const { return score(all(), name); }
};

// Runs every image of the data set through the task's model once, in evaluation mode and without gradients; the mode is set
// back afterwards. The result does not depend on the number of threads. Error(kValue) if the data does not fit the model,
// Error(kNumeric) if a score is not finite. Inside an InterruptScope a signal ends it by throwing Interrupted.
Evaluation evaluate(Task& task, DatasetPtr dataset, int64_t batch_size = 256, Communicator* ranks = nullptr);
// The same from the batches of a loader, whose data has been checked. With several ranks each computes every R-th batch, and all get
// the result that one would get, to the bit.
Evaluation evaluate(Task& task, Loader& loader, Communicator* ranks = nullptr);
// Of a classifier: scores top1, top5, loss (cross-entropy without label smoothing).
Evaluation evaluate(models::Classifier& model, DatasetPtr dataset, const Preprocessing& preprocessing,
                    int64_t batch_size = 256);

// The data set's own statistics, at the size and with the channels that the model wants.
Preprocessing preprocessing_for(const models::Classifier& model, const DatasetInfo& info);

}  // namespace vitrail
