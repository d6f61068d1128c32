// Words of the commands that the program prints for its user to type.
#pragma once

#include <string>

namespace vitrail::cli {

// A path as a shell takes it: quoted where it has to be.
std::string shell_word(const std::string& path);

}  // namespace vitrail::cli
