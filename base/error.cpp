#include "base/error.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "base/exit_code.h"
#include "base/text.h"

namespace vitrail {
namespace {

std::terminate_handler handler_before = nullptr;

// The terminate handler. The C++ library's own would lose text still buffered for stdout, and print the message after "what()".
[[noreturn]] void report_uncaught() {
  try {
    if (const std::exception_ptr thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (const Error& error) {
    std::cout.flush();
    std::fflush(stdout);
    std::fprintf(stderr, "vitrail: %s\n", error.what());
    std::_Exit(exit_code(error.kind()));
  } catch (...) {  // not an Error: the previous handler reports it
  }
  if (handler_before) handler_before();
  std::abort();
}

// Installs the handler when the first Error is made, so that programs need no call for it. A handler that the program has set
// before is kept; it is recognised by not being the C++ library's default.
void report_uncaught_errors() {
  static const bool done = [] {
    handler_before = std::get_terminate();
#ifdef __GLIBCXX__
    if (handler_before && handler_before != __gnu_cxx::__verbose_terminate_handler) return true;
#endif
    std::set_terminate(report_uncaught);
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace

Error::Error(ErrorKind kind, const std::string& message) : std::runtime_error(one_line(message)), kind_(kind) {
  report_uncaught_errors();
}

}  // namespace vitrail
