// A page in a real browser, where one is installed.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "base/file.h"
#include "tests/support/run_program.h"

namespace vitrail::testing {

// The first of the usual names that is installed; "" if none is.
inline const std::string& browser() {
  static const std::string found = [] {
    for (const std::string name : {"chromium", "chromium-browser", "google-chrome", "chrome-headless-shell"})
      if (run_command("command -v " + name + " >/dev/null").code == 0) return name;
    return std::string();
  }();
  return found;
}

// What the browser shows after its scripts have run, and what it complains about.
struct Loaded {
  std::string dom, complaints;
};

// `last` is run after the page's own script.
inline Loaded load_page(const std::string& page, const std::string& last = "") {
  const std::string folder = scratch() + "/browser", copy = folder + "/page.html", errors = folder + "/errors";
  std::filesystem::create_directories(folder);
  std::string text = read_text_file(page);
  if (!last.empty()) text.insert(text.rfind("</body>"), "<script>" + last + "</script>\n");
  write_file_atomically(copy, text);
  // A fresh home: no profile of a person is read or written. The virtual time lets timers run.
  const Outcome outcome =
      run_command("HOME=" + folder + " timeout -k 5 120 " + browser() +
                      " --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir=" + folder +
                      "/profile --enable-logging=stderr --virtual-time-budget=3000 --dump-dom file://" + copy,
                  ("2>" + errors).c_str());
  Loaded result{outcome.text, ""};
  std::ifstream lines(errors);
  for (std::string line; std::getline(lines, line);)
    if (line.find("CONSOLE") != std::string::npos) result.complaints += line + "\n";
  return result;
}

}  // namespace vitrail::testing
