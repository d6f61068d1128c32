// vitrail <command>: reads the arguments, runs the command, turns errors into one line and an exit code.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <new>

#include "base/error.h"
#include "base/exit_code.h"
#include "cli/command.h"

namespace vitrail::cli {
namespace {

// A file name may hold anything: control bytes never reach the terminal.
void complain(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 32 && c != '\n') c = '?';
  std::fprintf(stderr, "vitrail: %s\n", text.c_str());
}

// While a thread waits for the others, libgomp spins for milliseconds; if another program has the processor that it waits for,
// training on a shared machine becomes several times slower. Without any spinning the thread sleeps and wakes a thousand times
// a step. So it spins for some ten microseconds, then sleeps (docs/results.md, "Waiting"). libgomp reads this before main, so
// the program starts itself once more with the count set. A user's own setting stays; a refusal to start again is no error.
void wait_briefly(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  setenv("GOMP_SPINCOUNT", "2000", 1);
  execv("/proc/self/exe", argv);
}

int main_guarded(int argc, char** argv) {
  // A closed pipe or a file size limit is an error of one write, not the end of the process.
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  try {
    limit_memory();
    const int code = run_command_line(argc, argv);
    if (std::fflush(stdout) != 0) fail(ErrorKind::kIo, "vitrail", "standard output could not be written.");
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
  vitrail::cli::wait_briefly(argv);
  return vitrail::cli::main_guarded(argc, argv);
}
