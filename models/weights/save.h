// A trained model on disk: one file, model.safetensors. The tensors are the weights under timm's names; the header's
// "vitrail" entry is JSON with everything that the weights must never be separated from: task, architecture, preprocessing,
// class names, recipe. One file means one rename, so a reader sees a whole old or a whole new model at any moment.
//
// Nothing in it describes the machine or the run (threads, times, paths): the same training gives the same bytes for any
// number of threads.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/preprocessing.h"
#include "models/classifier.h"

namespace vitrail {

// The name of the file in its folder. It has checksums (tensor/safetensors_checksums.h): those of the tensors are checked
// whenever it is read, all of them by `vitrail verify`.
constexpr const char* kModelFile = "model.safetensors";
// Beside it, the model of the best test so far.
constexpr const char* kBestFile = "best.safetensors";

// The tasks whose models are classifiers (ModelCard::task): one label per picture, or any number.
constexpr const char* kClassification = "classification";
constexpr const char* kMultiLabel = "multi_label";

// How sure the answers of a model with one label per picture are, found on pictures that it was not trained on
// (train/answer_calibration.h).
struct AnswerCalibration {
  double temperature = 1;                // probabilities are softmax(logits / temperature)
  double unknown_below = 0;              // an answer whose probability is below is "unknown"
  double share = 0.95;                   // of the right answers that unknown_below was chosen to keep
  double ece_before = 0, ece_after = 0;  // expected calibration error (train/calibration.h)
  int64_t images = 0;
  std::string data = {};  // the name of the set

  friend bool operator==(const AnswerCalibration&, const AnswerCalibration&) = default;
};

// The data that must never be separated from a model's weights.
struct ModelCard {
  Preprocessing preprocessing;
  std::vector<std::string> class_names;
  std::string training = "{}";                                  // a JSON object: recipe, data set, steps, accuracy
  std::string task = kClassification;                           // train/task: what the model was trained for
  std::optional<AnswerCalibration> calibration = std::nullopt;  // of these weights: other weights need another
};

struct Origin;  // models/weights/foreign.h

// What the user says about a file that another program wrote, where it is silent. A model of ours says all but no_exif itself:
// Error(kValue) names an option that it would not need.
struct OpenOptions {
  int64_t num_heads = 0;                  // 0: of the files beside it, else width / 64
  int64_t img_height = 0, img_width = 0;  // 0: of the files beside it, else from a square grid of positions
  std::string weights = {};               // of a torch dictionary with several: model, ema, teacher, student
  std::string preprocess = {};  // preprocessor_config.json, or a family: timm, deit, huggingface, torchvision, google, clip
  bool no_exif = false;         // pictures as they are stored, without the EXIF orientation
  bool strict = false;          // every tensor of the file must be used under its own name
};

// The content of a model file, before the model is built.
struct SavedModel {
  ModelCard card;
  std::string architecture;  // JSON text; models::config_from_json() reads a classifier's
  nn::StateDict weights;
  std::string file;                          // path of the file that was read, for messages
  std::shared_ptr<Origin> origin = nullptr;  // of another program's model
};

struct LoadedModel {
  std::unique_ptr<models::Classifier> model;  // in evaluation mode
  ModelCard card;
  std::shared_ptr<Origin> origin = nullptr;
};

// Writes dir/model.safetensors; `dir` is made if it is missing. Temporary file, fsync, rename, fsync of the folder: under any
// crash the folder holds the old model or the new one, whole. Low-rank updates (nn/lora.h) are merged into the weights of the
// file. A config.json that an older version left in the folder is removed once the new file is complete. Error(kNumeric) naming
// the tensor if a weight is not finite, Error(kValue) if the card does not fit the model, Error(kIo) if the file system
// refuses; then the old model is untouched.
void save_model(const std::string& dir, models::Classifier& model, const ModelCard& card);
// The same for a model of any task.
void save_model(const std::string& dir, nn::Module& model, const std::string& architecture, const ModelCard& card,
                const char* file = kModelFile);

// The card and the architecture as the JSON text that stands in the file, and back, without weights; Error(kData) naming
// `where`.
std::string card_json(const std::string& architecture, const ModelCard& card);
SavedModel read_card_json(const std::string& text, const std::string& where);

// Puts the calibration into the model file of this program at `path`, a folder or its file, beside weights that keep their
// bits: written anew, checked against its checksums before, and put in place as save_model() does. Error(kValue) for another
// program's file, or a model of several labels; all errors of read_saved_model().
void save_calibration(const std::string& path, const AnswerCalibration& calibration);

// Reads such a folder, or its model.safetensors alone, without building the model. The folders of older versions, with a
// config.json beside the weights, are read too. Error(kIo) if a file is missing; Error(kData) naming the file if it is
// damaged, if config.json and the weights do not belong together, if a weight is not finite, or a
// tensor differs from its checksum, where the file has checksums. Weights of another program are
// read if a person describes them in config.json in their folder: {"model": {...}}, with the fields of `vitrail info PRESET
// --json`; "preprocessing" and "class_names" have defaults.
//
// A file or folder of another program is read as models/weights/foreign.h says.
SavedModel read_saved_model(const std::string& path, const OpenOptions& options = {});

// read_saved_model, built. Also Error(kData) if the task is none of the two above, or names or shapes of the weights differ
// from the architecture's (all of them are listed).
LoadedModel load_model(const std::string& path, const OpenOptions& options = {});
LoadedModel build_classifier(SavedModel saved);

// Error(kNumeric) naming the first tensor of `state` that holds NaN or infinity, and `where`.
void check_finite_weights(const char* op, const nn::StateDict& state, const std::string& where = "");

}  // namespace vitrail
