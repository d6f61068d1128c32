// vitrail opcheck: every differentiable operation against central differences in f64.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "autograd/gradcheck.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "cli/command.h"
#include "tests/op_cases.h"

namespace vitrail::cli {
namespace {

struct Verdict {
  std::string op;
  int64_t samples = 0;
  double max_error = 0;
  bool ok = true;
  std::string message;
};

Verdict check_op(const testing::OpCase& op) {
  Verdict verdict{op.name, 0, 0, true, ""};
  for (const testing::OpSample& sample : op.samples) {
    const GradcheckResult result = gradcheck(sample.fn, sample.inputs);
    verdict.samples += 1;
    verdict.max_error = std::max(verdict.max_error, result.max_error);
    if (!result.ok && verdict.ok) verdict.ok = false, verdict.message = sample.label + ": " + result.message;
  }
  return verdict;
}

void print_json(const std::vector<Verdict>& verdicts) {
  JsonWriter json(1);
  json.begin_array();
  for (const Verdict& v : verdicts) {
    json.begin_object().field("op", v.op).field("samples", v.samples).field("max_error", v.max_error).field("ok", v.ok);
    json.field("message", v.message).end_object();
  }
  std::printf("%s\n", json.end_array().text().c_str());
}

void print_table(const std::vector<Verdict>& verdicts) {
  std::printf("%-22s %7s  %-12s %s\n", "operation", "samples", "max error", "");
  for (const Verdict& v : verdicts) {
    std::printf("%-22s %7lld  %-12.3g %s\n", v.op.c_str(), static_cast<long long>(v.samples), v.max_error,
                v.ok ? "ok" : v.message.c_str());
  }
}

void check_names(const std::vector<std::string>& wanted) {
  std::vector<std::string> known;
  for (const testing::OpCase& op : testing::op_cases()) known.push_back(op.name);
  for (const std::string& name : wanted) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string near = nearest(name, known);
    fail(ErrorKind::kValue, "opcheck", "no differentiable operation has this name: it is ", quote(name),
         ". Hint: ", near.empty() ? "vitrail opcheck lists them all." : cat("did you mean ", near, "?"));
  }
}

}  // namespace

int opcheck(const std::vector<std::string>& only, bool json) {
  check_names(only);
  std::vector<Verdict> verdicts;
  bool all_ok = true;
  for (const testing::OpCase& op : testing::op_cases()) {
    if (!only.empty() && std::find(only.begin(), only.end(), op.name) == only.end()) continue;
    verdicts.push_back(check_op(op));
    all_ok = all_ok && verdicts.back().ok;
  }
  json ? print_json(verdicts) : print_table(verdicts);
  return all_ok ? 0 : 6;
}

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

}  // namespace vitrail::cli
