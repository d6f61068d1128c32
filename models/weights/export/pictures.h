// Preprocessing in the words of other libraries.
#pragma once

#include <string>
#include <vector>

#include "data/preprocessing.h"
#include "models/weights/families/preprocess_rules.h"

namespace vitrail::weights {

// timm's pretrained_cfg: crop_pct, crop_mode and interpolation such that timm_preprocessing() makes the same sizes of them.
// Error(kValue) naming what no choice of them expresses.
TimmPictures to_timm_pictures(const Preprocessing& preprocessing, std::vector<std::string>& notes);

// preprocessor_config.json of transformers: ViTImageProcessor, DeiTImageProcessor (with a crop) or CLIPImageProcessor (short
// side). Error(kValue) naming what none of them does.
std::string to_hugging_face_processor(const Preprocessing& preprocessing, std::vector<std::string>& notes);

// "bicubic"
std::string interpolation_name(Resample filter);

}  // namespace vitrail::weights
