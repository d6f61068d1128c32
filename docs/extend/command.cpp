// A new command of the program: `vitrail count NAME` says how many parameters a preset has.
// In the project: cli/count.cpp, and its declaration with its place in the list of cli/commands.h.
#include <cstdio>
#include <memory>

#include "cli/command.h"
#include "models/presets.h"

namespace vitrail::cli {

void add_count(CLI::App& app, Action& action) {
  struct Options {
    std::string name;
  };
  auto o = std::make_shared<Options>();  // lives until the command has run
  Command command(app, "count", "Count the parameters of a preset");
  command.option("name", o->name, "A preset, as in vitrail info").required();
  command.footer("Example: vitrail count vit_fashion");
  command.runs(action, [o] {
    Rng rng(0);
    const auto model = models::make_model(models::find_preset(o->name).config, rng);
    std::printf("%lld\n", static_cast<long long>(model->num_parameters()));
    return 0;  // the exit code; failures throw vitrail::Error
  });
}

}  // namespace vitrail::cli

int main(int argc, char** argv) {
  char program[] = "vitrail", command[] = "count", preset[] = "vit_fashion";
  char* example[] = {program, command, preset, nullptr};
  return argc > 1 ? vitrail::cli::run_command_line(argc, argv, {vitrail::cli::add_count})
                  : vitrail::cli::run_command_line(3, example, {vitrail::cli::add_count});
}
