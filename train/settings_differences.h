// An experiment of many runs that is begun again must be the same one.
#pragma once

#include <string>
#include <vector>

namespace vitrail {

// Where two JSON objects differ, by key path, their values shortened: "seed is 1, not 2", "recipe.lr is 0.001, not 0.01". A
// field of a "recipe" that `own` lacks has its usual value, and "setup.preprocessing" none: it is newer than what wrote `own`.
// Empty if nowhere.
std::vector<std::string> settings_differences(const std::string& own, const std::string& other);

}  // namespace vitrail
