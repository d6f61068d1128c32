// Which file of a folder holds the weights.
#pragma once

#include <string>

namespace vitrail {

// The order of preference is that of read_tensor_file(). Error(kValue) naming the candidates if several of the last kind are
// there, or saying what was looked for if there is none.
std::string weights_file_of(const std::string& folder);

}  // namespace vitrail
