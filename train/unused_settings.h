// Settings that were given and change nothing with the rest of the configuration.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "train/config.h"

namespace vitrail {

// A sentence for each field among `given` (keys of TrainConfig, as a user gave them by flags) that has no effect in `config`,
// with what it goes with: "--power has no effect in this run: it goes with --schedule polynomial." In the order of the fields.
std::vector<std::string> settings_without_effect(const TrainConfig& config, const std::set<std::string>& given);

}  // namespace vitrail
