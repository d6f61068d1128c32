// vitrail <command>: reads the arguments, runs the command, turns errors into one line and an exit code.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "base/error.h"
#include "base/exit_code.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/ranks.h"
#include "train/interrupt.h"

namespace vitrail::cli {
namespace {

// Whether standard output is a pipe that nobody reads any more: `vitrail ... | head` has what it wanted.
bool reader_left() {
  pollfd output{STDOUT_FILENO, POLLOUT, 0};
  return poll(&output, 1, 0) == 1 && (output.revents & POLLERR);
}

// A descriptor that the caller closed would be given to the next file that is opened, and what is printed would land in it.
void open_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd) _exit(kExitInternal);
}

int main_guarded(int argc, char** argv) {
  // A closed pipe or a file size limit is an error of one write, not the end of the process.
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  try {
    limit_memory();
    if (const int ranks = join_ranks(argc, argv); ranks > 1) limit_memory(ranks);
    const int code = run_command_line(argc, argv);
    if ((std::fflush(stdout) != 0 || std::ferror(stdout)) && !reader_left())
      fail(ErrorKind::kIo, "vitrail", "standard output could not be written.");
    return leave_ranks(code);
  } catch (const Error& e) {
    return end_with(e.what(), exit_code(e.kind()));
  } catch (const std::bad_alloc&) {
    return end_with("out of memory. Hint: a smaller --batch-size or model.", exit_code(ErrorKind::kMemory));
  } catch (const std::exception& e) {
    return end_with(cat("internal error, please report it: ", e.what()), kExitInternal);
  }
}

}  // namespace
}  // namespace vitrail::cli

int main(int argc, char** argv) {
  vitrail::end_on_signals();
  vitrail::cli::open_standard_descriptors();
  return vitrail::cli::main_guarded(argc, argv);
}
