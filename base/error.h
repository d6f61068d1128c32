// One exception type for every mistake a user can make. The message has the form
//   [op] rule that failed: name is shape, name is shape (the numbers). Hint: what to do.
// so that a reader learns the rule, sees the numbers of the call, and knows what to try next.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace vitrail {

// What kind of mistake; programs map it to their exit code (docs/architecture.md, "Exit codes").
enum class ErrorKind {
  kShape,    // shapes do not fit each other            -> exit 2
  kValue,    // an argument or configuration is invalid -> exit 2
  kData,     // the content of a file is not valid      -> exit 3
  kIo,       // the file system refused                 -> exit 4
  kMemory,   // not enough memory, or over the budget   -> exit 5
  kNumeric,  // NaN or infinity where a number must be  -> exit 6
};

// An Error that no one catches ends the program with its message on stderr ("vitrail: [op] ..."), after all that was printed to
// stdout, and with the exit code of its kind. A terminate handler that the program has set itself stays in place.
class Error : public std::runtime_error {
 public:
  // what() is one_line(message) (base/text.h): no control bytes, no second line, no more than kMaxMessage bytes.
  Error(ErrorKind kind, const std::string& message);
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

// Streams all arguments into one string.
template <class... Parts>
std::string cat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

// Throws Error with the message "[op] " + parts.
template <class... Parts>
[[noreturn]] void fail(ErrorKind kind, const char* op, const Parts&... parts) {
  throw Error(kind, cat("[", op, "] ", parts...));
}

// fail(...) unless `rule` holds. The parts are turned into text only on failure.
template <class... Parts>
void check(bool rule, ErrorKind kind, const char* op, const Parts&... parts) {
  if (!rule) [[unlikely]]
    fail(kind, op, parts...);
}

}  // namespace vitrail
