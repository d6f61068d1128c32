// Settings that are known to fail, found before the first step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/presets.h"
#include "train/config.h"

namespace vitrail {

// A sentence for each setting with which people's training is known to fail, with the number and what to do instead:
// fewer than 16 tokens (patches too large for the picture), Adam or AdamW above a rate of 3e-3 (low-rank updates: 5e-3; all of
// a trained model: 3e-4, vit.md 3.4), Lion above 1e-3, Muon above 2e-2, LAMB above 0.1, LARS above 100, or with a weight decay
// above 1e-3, an adaptive optimiser without warm-up, a warm-up as long as the run, dropout above 0.3, weight decay above 0.3, a
// batch larger than the training set, fewer than 100 updates, fewer than 50 images a class from scratch (not from a trained
// model: `from_model`), balanced sampling and balanced weights at once. The thresholds are those of the reports that vit.md
// collects (section 4, row 4), of LAMB and LARS our own.
std::vector<std::string> preflight(const TrainConfig& config, const models::ModelConfig& model, int64_t images,
                                   bool from_model = false);

}  // namespace vitrail
