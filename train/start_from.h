// Training that starts from the weights of a trained model.
#pragma once

#include <string>
#include <vector>

#include "models/presets.h"
#include "models/weights/save.h"

namespace vitrail {

// The saved model's architecture for so many classes; its image size and channels stay, as its preprocessing does.
models::ModelConfig architecture_for(const SavedModel& saved, int64_t classes);

// Copies the saved weights into the model. Its head is kept if the classes are the same in name and order; otherwise the head
// becomes zero, so that training starts from equal probabilities and the first updates do not push noise into the trained part
// (Kolesnikov et al., arXiv:1912.11370, section 3.3). Returns a sentence for the user. Error(kValue) naming what differs if
// anything but the head does not fit, or if the model has no head; then nothing has been changed. The same holds for a model of
// another task than `task`.
std::string start_from(models::Classifier& model, const SavedModel& saved, const std::vector<std::string>& class_names,
                       const std::string& task = kClassification);

}  // namespace vitrail
