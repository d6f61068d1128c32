#include "base/error.h"

#include "base/text.h"

namespace vitrail {

Error::Error(ErrorKind kind, const std::string& message) : std::runtime_error(one_line(message)), kind_(kind) {}

}  // namespace vitrail
