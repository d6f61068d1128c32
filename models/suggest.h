// "Did you mean ...?"
#pragma once

#include <string>
#include <vector>

namespace vitrail::models {

// The candidate with the fewest single-character edits from `word`; empty if even that one differs in more than half of it.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace vitrail::models
