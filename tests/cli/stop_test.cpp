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
    const std::string log = read_text_file(out + "/metrics.jsonl");
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

TEST_CASE("a second run into the folder of a running one is refused, even with --force; the lock ends with its process") {
  const std::string out = scratch() + "/locked";
  const pid_t child = start_training(out);
  wait_for_model(out);
  const Outcome second = run("train --force --data glyphs --out " + out + kQuick);
  CHECK(second.code == 2);
  CHECK_MESSAGE(second.says("another run is writing into " + out), second.text);
  kill(child, SIGKILL);
  CHECK(exit_code_of(child) == -SIGKILL);
  CHECK(run("train --force --data glyphs --max-steps 1 --out " + out + kQuick).code == 0);
}

TEST_CASE("signals are heard while data is drawn, in the baseline and in the final evaluation") {
  for (const auto& [title, arguments, wait] :
       {std::tuple{"drawing", "train --data scenes --train-size 9000000 --test-size 10", 0.5},
        {"baseline", "demo --train-size 60000 --test-size 10", 2.5},
        {"final", "train --data glyphs --train-size 8 --batch-size 8 --epochs 1 --test-size 2000000 --model vit_fashion_p7",
         3}}) {
    const std::string name = title;  // a lambda of C++20 in clang 14 cannot capture a structured binding
    CAPTURE(name);
    const std::string out = scratch() + "/heard_" + name;
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      for (const int inherited : {SIGHUP, SIGINT, SIGTERM}) signal(inherited, SIG_DFL);
      const std::string command =
          "exec " + program() + " " + arguments + " --out " + out + " > " + out + ".txt 2>&1 < /dev/null";
      execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
      _exit(127);
    }
    usleep(static_cast<useconds_t>(wait * 1e6));
    kill(child, SIGTERM);
    CHECK(exit_code_of(child) == 143);
    if (std::string(name) == "final" && fs::exists(out + "/metrics.jsonl")) CHECK(fs::exists(out + "/model.safetensors"));
  }
}

TEST_CASE("a run whose messages nobody reads still hears a signal, and saves") {
  const std::string out = scratch() + "/unread", pipe = scratch() + "/unread.fifo";
  REQUIRE(run_command("mkfifo " + pipe).code == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (const int inherited : {SIGHUP, SIGINT, SIGTERM}) signal(inherited, SIG_DFL);
    // Open both ways, so that opening does not wait; every epoch is a line, and 64 KiB of them fill the pipe.
    const std::string command =
        "exec 3<>" + pipe + "; exec " + program() + " train --data glyphs --out " + out +
        " --train-size 2 --test-size 2 --batch-size 2 --model linear --epochs 1000000 2>&3 > /dev/null < /dev/null";
    execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  wait_for_model(out);
  sleep(6);
  kill(child, SIGINT);
  CHECK(exit_code_of(child) == 130);
  CHECK(run("info " + out).code == 0);
}
