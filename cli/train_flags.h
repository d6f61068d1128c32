// The flags of a training recipe, which train, finetune and demo share.
#pragma once

#include <set>
#include <string>

#include "cli/command.h"
#include "cli/train_setup.h"

namespace vitrail::cli {

// A flag for each field of the recipe, under headings, or for those of `only`; help shows the defaults.
void add_recipe_flags(Command& command, TrainOptions& options, const TrainConfig& defaults,
                      const std::set<std::string>& only = {});

}  // namespace vitrail::cli
