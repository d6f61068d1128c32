// What a region that is still to be written holds, and what takes the place of one that does not compile.
#pragma once

#include <exception>
#include <string>

namespace lab {

// Derived from std::exception alone: a test that expects vitrail::Error is not passed by an exercise that is not written.
class NotWritten : public std::exception {
 public:
  explicit NotWritten(std::string text) : text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

// Stands in a region until the student replaces it.
[[noreturn]] inline void todo(const char* exercise, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  throw NotWritten(std::string("exercise ") + exercise + " is not written yet (" + file + ":" + std::to_string(line) + ")");
}

// Stands for a region that cannot be built, so that the other exercises of its file run.
[[noreturn]] inline void broken(const char* exercise, const char* reason) {
  throw NotWritten(std::string("exercise ") + exercise + " cannot be built: " + reason);
}

}  // namespace lab
