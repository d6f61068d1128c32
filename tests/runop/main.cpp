// runop OP in.safetensors out.safetensors: any of our operations on given tensors, so that a test from outside needs nothing
// but a writer of safetensors files. The file holds input.0, input.1, ..., optionally grad_output.0, ...; attributes are JSON
// text in __metadata__.attrs. Exit codes are those of `vitrail` (base/exit_code.h); an error is one line on standard error.
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <new>

#include "base/exit_code.h"
#include "base/file.h"
#include "cli/memory_limit.h"
#include "tensor/storage.h"
#include "tests/runop/onnx_ops.h"
#include "tests/runop/run_op.h"

namespace vitrail::onnx {
namespace {

constexpr int64_t kMemoryLimit = int64_t{1} << 30;

void print_help() {
  std::puts(
      "runop OP in.safetensors out.safetensors\n"
      "Runs one operation on the tensors of a file: input.0, input.1, ... give output.0, ...; with grad_output.0, ... also\n"
      "grad_input.0, ... Attributes: JSON text in __metadata__.attrs. Tensors may take 1 GiB, or\n"
      "VITRAIL_MEMORY_MB mebibytes. Operations, by our name or the ONNX name:");
  for (const auto& [name, op] : operators()) std::printf("  %s\n", name.c_str());
}

int run(int argc, char** argv) {
  if (argc == 2 && (std::string(argv[1]) == "--help" || std::string(argv[1]) == "-h")) {
    print_help();
    return 0;
  }
  check(argc == 4, ErrorKind::kValue, "runop", "wants three arguments, got ", argc - 1,
        ". Hint: runop OP in.safetensors out.safetensors");
  // A call is a small thing, its file may be a stranger's: far less than the machine has, unless the user says otherwise.
  if (std::getenv("VITRAIL_MEMORY_MB"))
    cli::limit_memory();
  else
    set_memory_limit(kMemoryLimit);
  save_safetensors(argv[3], run_op(argv[1], load_safetensors(argv[2]), argv[2]));
  return 0;
}

// One line, whatever bytes the file or an argument brought into the message.
void complain(const std::string& text) { std::fprintf(stderr, "runop: %s\n", escaped(text, 280).c_str()); }

int guarded(int argc, char** argv) {
  // A closed pipe or a file size limit is an error of one write, not the end of the process.
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  try {
    const int code = run(argc, argv);
    if (std::fflush(stdout) != 0) fail(ErrorKind::kIo, "runop", "standard output could not be written.");
    return code;
  } catch (const Error& e) {
    complain(e.what());
    return exit_code(e.kind());
  } catch (const std::bad_alloc&) {
    complain("out of memory.");
    return exit_code(ErrorKind::kMemory);
  } catch (const std::exception& e) {
    complain(cat("internal error, please report it: ", e.what()));
    return kExitInternal;
  }
}

}  // namespace
}  // namespace vitrail::onnx

int main(int argc, char** argv) { return vitrail::onnx::guarded(argc, argv); }
