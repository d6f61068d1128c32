// A training run that is told to stop: it saves, and its exit code says why.
#include <doctest/doctest.h>
#include <signal.h>

#include "base/file.h"
#include "base/json.h"
#include "models/weights/save.h"
#include "tests/support/run_program.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

namespace {

// Starts an endless training run into `out`. `shell` comes before the program ("trap '' HUP;").
pid_t start_training(const std::string& out, const std::string& shell = "") {
  const std::string command = shell + "exec " + program() + " train --data glyphs --out " + out + kQuick +
                              "--epochs 100000 > " + out + ".txt 2>&1 < /dev/null";
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    // The tests themselves may have been started under nohup, and a program keeps what its parent ignores.
    for (const int inherited : {SIGHUP, SIGINT, SIGTERM}) signal(inherited, SIG_DFL);
    execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  return child;
}

// The first saved model says that the loop is running.
void wait_for_model(const std::string& out) {
  for (int i = 0; i < 1200 && !fs::exists(out + "/model.safetensors"); ++i) usleep(50000);
  REQUIRE(fs::exists(out + "/model.safetensors"));
}

// A program that does not end within a minute is killed, and -SIGKILL is no test's wish.
int exit_code_of(pid_t child) {
  int status = 0;
  for (int i = 0; waitpid(child, &status, WNOHANG) == 0; ++i) {
    if (i == 1200) kill(child, SIGKILL);
    usleep(50000);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

TEST_CASE("SIGHUP, SIGINT and SIGTERM end a run with 128 + signal, after saving a model that loads") {
  for (const int signal : {SIGHUP, SIGINT, SIGTERM}) {
    CAPTURE(signal);
    const std::string out = scratch() + "/stopped" + std::to_string(signal);
    const pid_t child = start_training(out);
    wait_for_model(out);
    kill(child, signal);
    CHECK(exit_code_of(child) == 128 + signal);
    CHECK(read_text_file(out + ".txt").find("the model is saved in " + out) != std::string::npos);
    const Outcome eval = run("eval --json --data glyphs --limit 10 --model " + out, "2>/dev/null");
    CHECK(eval.code == 0);
    // The saved steps are those of the last line of the log.
    const std::string log = read_text_file(out + "/log.jsonl");
    const JsonDocument last(log.substr(log.rfind('\n', log.size() - 2) + 1), "log"),
        saved(read_saved_model(out).card.training, out);
    JsonObject training(saved.root(), "training");
    CHECK(training.json_text("steps") == JsonObject(last.root(), "log").json_text("step"));
  }
}

TEST_CASE("a run under nohup does not hear SIGHUP") {
  const std::string out = scratch() + "/nohup";
  const pid_t child = start_training(out, "trap '' HUP; ");
  wait_for_model(out);
  kill(child, SIGHUP);
  usleep(300000);
  int status = 0;
  CHECK(waitpid(child, &status, WNOHANG) == 0);  // still running
  kill(child, SIGTERM);
  CHECK(exit_code_of(child) == 143);
}

TEST_CASE("impatience: signals one after another end the run at once, and what was saved before still loads") {
  const std::string out = scratch() + "/impatient";
  const pid_t child = start_training(out);
  wait_for_model(out);
  for (int i = 0; i < 50; ++i) kill(child, SIGINT);
  CHECK(exit_code_of(child) == 130);
  CHECK(run("eval --data glyphs --limit 10 --model " + out).code == 0);
}
