// vitrail <command>: reads the arguments, runs the command, turns errors into one line and an exit code.
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <new>

#include "base/error.h"
#include "base/exit_code.h"
#include "base/text.h"
#include "cli/command.h"

namespace vitrail::cli {
namespace {

// Whether standard output is a pipe that nobody reads any more: `vitrail ... | head` has what it wanted.
bool reader_left() {
  pollfd output{STDOUT_FILENO, POLLOUT, 0};
  return poll(&output, 1, 0) == 1 && (output.revents & POLLERR);
}

int main_guarded(int argc, char** argv) {
  // A closed pipe or a file size limit is an error of one write, not the end of the process.
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  try {
    limit_memory();
    const int code = run_command_line(argc, argv);
    if ((std::fflush(stdout) != 0 || std::ferror(stdout)) && !reader_left())
      fail(ErrorKind::kIo, "vitrail", "standard output could not be written.");
    return code;
  } catch (const Error& e) {
    complain(e.what());
    return exit_code(e.kind());
  } catch (const std::bad_alloc&) {
    complain("out of memory. Hint: a smaller --batch-size or model.");
    return exit_code(ErrorKind::kMemory);
  } catch (const std::exception& e) {
    complain(cat("internal error, please report it: ", e.what()));
    return kExitInternal;
  }
}

}  // namespace
}  // namespace vitrail::cli

int main(int argc, char** argv) { return vitrail::cli::main_guarded(argc, argv); }
