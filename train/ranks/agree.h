// What the ranks of a run have in common, and what happens where they differ. Each function is called by all ranks.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "comm/communicator.h"
#include "nn/state_dict.h"

namespace vitrail {

// What is compared between the ranks: a name for people, and the value.
using Facts = std::vector<std::pair<std::string, std::string>>;

// Error(kValue) on the lowest rank that differs from rank 0 in one of these facts, naming it and both values; the others wait
// for its end.
void require_same(Communicator& comm, const Facts& facts);

// Error(kNumeric) on the lowest rank whose weights differ from rank 0's after this update.
void require_same_weights(Communicator& comm, const nn::StateDict& weights, int64_t step);

// Rank 0's values into those of all.
void share(Communicator& comm, const nn::StateDict& tensors);

// Of an error that all ranks have found together: returns on the rank that is to tell it, the lowest that answers for it, or
// rank 0; the others wait here until that one has ended them.
void let_one_tell(Communicator& comm, bool answers);

}  // namespace vitrail
