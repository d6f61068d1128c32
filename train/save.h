// A trained model on disk: a folder with model.safetensors (weights under timm's names) and config.json (architecture,
// preprocessing, class names, recipe). The same JSON stands in the safetensors header, so the one file is enough too.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/preprocessing.h"
#include "models/classifier.h"

namespace vitrail {

// What a model must never be separated from.
struct ModelCard {
  Preprocessing preprocessing;
  std::vector<std::string> class_names;
  std::string training = "{}";  // a JSON object: recipe, data set, steps, accuracy
};

struct LoadedModel {
  std::unique_ptr<models::Classifier> model;  // in evaluation mode
  ModelCard card;
};

// Writes both files atomically into `dir`, which is made if it is missing: at any moment, under any crash, each file is the
// old or the new one, whole. Error(kIo) if the file system refuses, Error(kValue) if the card does not fit the model.
void save_model(const std::string& dir, models::Classifier& model, const ModelCard& card);

// From such a folder, or its model.safetensors alone. Error(kIo) if a file is missing; Error(kData) naming the file if it is
// damaged, if config.json and the weights do not belong together, if names or shapes differ (all of them are listed), or if
// a weight is not finite.
LoadedModel load_model(const std::string& path);

}  // namespace vitrail
