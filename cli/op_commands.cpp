// vitrail opcheck, vitrail runop: the doors for tests from outside.
#include <memory>

#include "cli/command.h"

namespace vitrail::cli {

void add_opcheck(CLI::App& app, Action& action) {
  struct Options {
    std::vector<std::string> only;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  Command command(app, "opcheck", "Check the gradient of every operation against finite differences");
  command.option("ops", options->only, "Names of operations (default: all)");
  command.flag("--json", options->json, "Machine-readable output");
  command.footer("Example: vitrail opcheck softmax layer_norm");
  command.runs(action, [options] { return opcheck(options->only, options->json); });
}

void add_runop(CLI::App& app, Action& action) {
  struct Options {
    std::string op, in, out;
  };
  auto options = std::make_shared<Options>();
  Command command(app, "runop", "Run one operation on the tensors of a file, forward and backward");
  command.option("op", options->op, "Operation, by our name or the ONNX name").required();
  command.option("in", options->in, "input.0, input.1, ... and optionally grad_output.0 (safetensors)").required();
  command.option("out", options->out, "Gets output.0, ... and grad_input.0, ...").required();
  command.footer("Example: vitrail runop softmax in.safetensors out.safetensors\nAttributes: JSON text in __metadata__.attrs.");
  command.runs(action, [options] {
    run_op(options->op, options->in, options->out);
    return 0;
  });
}

}  // namespace vitrail::cli
