// One command of the program and its options: CLI11 without its header, which takes seconds to compile in every file that sees
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"

namespace CLI {
class Option;
}

namespace vitrail::cli {

class Command {
 public:
  Command(CLI::App& app, const std::string& name, const std::string& description);

  // An option "--name", or a positional argument "name", read into `value`, which must outlive the parsing.
  Command& option(const std::string& name, std::string& value, const std::string& help);
  // Whole numbers of [low, high]; another text is Error(kValue) naming option, range and text.
  Command& option(const std::string& name, int64_t& value, const std::string& help, int64_t low = 0, int64_t high = INT64_MAX);
  Command& option(const std::string& name, std::vector<std::string>& value, const std::string& help);
  // Those that stay empty if they are not given.
  Command& option(const std::string& name, std::optional<std::string>& value, const std::string& help);
  Command& option(const std::string& name, std::optional<int64_t>& value, const std::string& help, int64_t low = 0,
                  int64_t high = INT64_MAX);
  Command& option(const std::string& name, std::optional<double>& value, const std::string& help);
  Command& option(const std::string& name, std::optional<bool>& value, const std::string& help);
  // "--name" alone gives `alone`, "--name word" the word.
  Command& option_or_word(const std::string& name, std::string& value, const std::string& alone, const std::string& help);
  Command& flag(const std::string& name, bool& value, const std::string& help);
  // The heading in help under which the options stand that are added from here on.
  Command& group(const std::string& title);
  // What help writes behind the option named last: "INT".
  Command& type(const std::string& name);
  // The option named last must be given.
  Command& required();
  // Below the options in the command's help.
  Command& footer(const std::string& text);
  // If the user chooses this command, `action` becomes `what`.
  void runs(Action& action, Action what);

 private:
  Command& parsed(const std::string& name, const char* type, const std::string& help,
                  std::function<void(const std::string&)> read);

  CLI::App& command_;
  CLI::Option* last_ = nullptr;
};

// The largest number that makes sense for counts of images: below, products of two counts cannot overflow.
constexpr int64_t kMaxImages = 1'000'000'000;
constexpr int64_t kMaxThreads = 1024;

// Reads the arguments and runs the command that they name. The exit code; Error(kValue) for what cannot be read.
int run_command_line(int argc, char** argv, const std::vector<AddCommand>& commands = kCommands);

}  // namespace vitrail::cli
