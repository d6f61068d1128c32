// The commands of the `vitrail` program, one file each. main.cpp registers them and maps errors to exit codes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/memory_limit.h"

namespace CLI {
class App;
}

namespace vitrail::cli {

// What the chosen command will do once the arguments have been read; its result is the exit code.
using Action = std::function<int()>;

// Each adds one command with its options and its help; when the user chooses it, `action` is set.
using AddCommand = void (*)(CLI::App& app, Action& action);
void add_train(CLI::App& app, Action& action);
void add_finetune(CLI::App& app, Action& action);
void add_demo(CLI::App& app, Action& action);
void add_search(CLI::App& app, Action& action);
void add_probe(CLI::App& app, Action& action);
void add_transfer(CLI::App& app, Action& action);
void add_average(CLI::App& app, Action& action);
void add_eval(CLI::App& app, Action& action);
void add_calibrate(CLI::App& app, Action& action);
void add_predict(CLI::App& app, Action& action);
void add_features(CLI::App& app, Action& action);
void add_similar(CLI::App& app, Action& action);
void add_explain(CLI::App& app, Action& action);
void add_convert(CLI::App& app, Action& action);
void add_adapter(CLI::App& app, Action& action);
void add_report(CLI::App& app, Action& action);
void add_info(CLI::App& app, Action& action);
void add_verify(CLI::App& app, Action& action);
void add_data_check(CLI::App& app, Action& action);
void add_opcheck(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);
void add_comm_bench(CLI::App& app, Action& action);
void add_plan(CLI::App& app, Action& action);
// In the order of `vitrail --help`. A new command: a file of its own, its declaration above and its place here.
inline const std::vector<AddCommand> kCommands = {
    add_train,     add_finetune, add_demo,       add_search,  add_probe,   add_transfer,   add_average, add_eval,
    add_calibrate, add_predict,  add_features,   add_similar, add_explain, add_convert,    add_adapter, add_report,
    add_info,      add_verify,   add_data_check, add_opcheck, add_bench,   add_comm_bench, add_plan};

// On standard error: the limits of the container that this process is in, if they are below the machine's, and what BLIS says
// of the processor. For the commands that compute for longer than a moment.
void print_machine_notice();

// Runs the gradient checks of the named ops (all if empty), prints a table or JSON; 0 if all passed.
int opcheck(const std::vector<std::string>& only, bool json);

}  // namespace vitrail::cli
