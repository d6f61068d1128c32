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
#include "cli/command.h"
#include "train/interrupt.h"

namespace vitrail::cli {
namespace {

// A file name may hold anything: control bytes never reach the terminal.
void complain(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 32 && c != '\n') c = '?';
  std::fprintf(stderr, "vitrail: %s\n", text.c_str());
}

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

int main(int argc, char** argv) {
  vitrail::end_on_signals();
  vitrail::cli::open_standard_descriptors();
  return vitrail::cli::main_guarded(argc, argv);
}
