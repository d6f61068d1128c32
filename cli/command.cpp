#include "cli/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "base/json.h"
#include "base/number.h"
#include "base/text.h"
#include "base/version.h"

namespace vitrail::cli {
namespace {

constexpr int kUsage = 2;

// CLI11 would only say that an argument was not expected.
void check_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::vector<std::string> names;
  std::string all;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
    if (names.back() == argv[1]) return;
    all += (all.empty() ? "" : ", ") + names.back();
  }
  const std::string near = nearest(argv[1], names);
  fail(ErrorKind::kValue, "vitrail", "unknown command: ", escaped(argv[1]),
       ". Hint: ", near.empty() ? "one of " + all + "." : "did you mean " + near + "?");
}

// CLI11 would list what it did not expect, in reverse order; the user wants to know which option is mistyped.
void check_options(const CLI::App& app, int argc, char** argv) {
  const auto named = app.get_subcommands([&](const CLI::App* candidate) { return candidate->get_name() == argv[1]; });
  const CLI::App* command = named.empty() ? &app : named.front();
  const std::string called = named.empty() ? "vitrail" : cat("vitrail ", argv[1]);
  std::vector<std::string> known;
  for (const CLI::Option* option : command->get_options())
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  for (int i = named.empty() ? 1 : 2; i < argc; ++i) {
    const std::string word = argv[i], name = word.substr(0, word.find('='));
    if (!name.starts_with("--") || name == "--" || std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string near = nearest(name, known);
    fail(ErrorKind::kValue, "vitrail", named.empty() ? "vitrail" : argv[1], " has no option ", escaped(name),
         ". Hint: ", near.empty() ? called + " --help lists them." : cat("did you mean ", near, "?"));
  }
}

// What is left for CLI11 to find, in sentences.
[[noreturn]] void refuse(const CLI::ParseError& e, const char* command) {
  const std::string text = e.what(), help = cat(" Hint: vitrail ", command, " --help shows an example.");
  const std::string name = text.substr(0, text.find(':')), rest = text.substr(std::min(text.size(), text.find(": ") + 2));
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&e)) {
    // "--threads: At most 1 required but received 2"
    const size_t last = text.find_last_of(' ');
    if (last != std::string::npos && text.find_first_not_of("0123456789", last + 1) == std::string::npos &&
        text.substr(last + 1) > "1")
      fail(ErrorKind::kValue, command, escaped(name, 60), " is given more than once.", help);
    fail(ErrorKind::kValue, command, escaped(name, 60), " needs a value.", help);
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&e))
    fail(ErrorKind::kValue, command, "not expected: ", escaped(rest, 60), ".", help);
  if (dynamic_cast<const CLI::RequiredError*>(&e)) fail(ErrorKind::kValue, command, escaped(text), ".", help);
  fail(ErrorKind::kValue, command, "cannot read the options: ", escaped(text), ".", help);
}

}  // namespace

Command::Command(CLI::App& app, const std::string& name, const std::string& description)
    : command_(*app.add_subcommand(name, description)) {}

// An option whose text is read by `read`: CLI11's own conversions change numbers that do not fit without a word.
Command& Command::parsed(const std::string& name, const char* type, const std::string& help,
                         std::function<void(const std::string&)> read) {
  last_ = command_.add_option_function<std::string>(name, std::move(read), help)->type_name(type);
  return *this;
}
Command& Command::option(const std::string& name, std::string& value, const std::string& help) {
  last_ = command_.add_option(name, value, help);
  return *this;
}
Command& Command::option(const std::string& name, int64_t& value, const std::string& help, int64_t low, int64_t high) {
  return parsed(name, "INT", help, [=, op = command_.get_name(), &value](const std::string& text) {
    value = parse_integer(op.c_str(), name, text, low, high);
  });
}
Command& Command::option(const std::string& name, std::vector<std::string>& value, const std::string& help) {
  last_ = command_.add_option(name, value, help);
  return *this;
}
Command& Command::option(const std::string& name, std::optional<std::string>& value, const std::string& help) {
  last_ = command_.add_option(name, value, help);
  return *this;
}
Command& Command::option(const std::string& name, std::optional<int64_t>& value, const std::string& help, int64_t low,
                         int64_t high) {
  return parsed(name, "INT", help, [=, op = command_.get_name(), &value](const std::string& text) {
    value = parse_integer(op.c_str(), name, text, low, high);
  });
}
Command& Command::option(const std::string& name, std::optional<double>& value, const std::string& help) {
  return parsed(name, "FLOAT", help, [name, op = command_.get_name(), &value](const std::string& text) {
    value = parse_number(op.c_str(), name, text);
  });
}
Command& Command::option(const std::string& name, std::optional<bool>& value, const std::string& help) {
  last_ = command_.add_option(name, value, help);
  return *this;
}
Command& Command::option_or_word(const std::string& name, std::string& value, const std::string& alone,
                                 const std::string& help) {
  last_ = command_.add_option(name, value, help)->expected(0, 1)->default_str(alone);
  return *this;
}
Command& Command::flag(const std::string& name, bool& value, const std::string& help) {
  last_ = command_.add_flag(name, value, help);
  return *this;
}
Command& Command::group(const std::string& title) {
  command_.option_defaults()->group(title);
  return *this;
}
Command& Command::type(const std::string& name) {
  last_->type_name(name);
  return *this;
}
Command& Command::required() {
  last_->required();
  return *this;
}
Command& Command::footer(const std::string& text) {
  command_.footer(text);
  return *this;
}
void Command::runs(Action& action, Action what) {
  command_.callback([&action, what = std::move(what)] { action = what; });
}

int run_command_line(int argc, char** argv, const std::vector<AddCommand>& commands) {
  CLI::App app("Vision Transformers from scratch: train, evaluate, predict.", "vitrail");
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);
  Action action;
  for (const AddCommand add : commands) add(app, action);
  if (argc < 2) {
    std::fputs(app.help().c_str(), stderr);
    return kUsage;
  }
  if (std::string(argv[1]) == "help") {
    if (argc > 2 && argv[2][0] != '-') {  // "help train" is "train --help"
      char option[] = "--help";
      char* words[] = {argv[0], argv[2], option};
      return run_command_line(3, words, commands);
    }
    std::fputs(app.help().c_str(), stdout);
    return 0;
  }
  check_command(app, argc, argv);
  check_options(app, argc, argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::ParseError& e) {
    refuse(e, argv[1]);
  }
  return action();
}

}  // namespace vitrail::cli
