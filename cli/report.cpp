// vitrail report: runs on one page.
#include <cstdio>
#include <memory>

#include "base/file.h"
#include "base/html.h"
#include "base/text.h"
#include "cli/command.h"
#include "train/report/comparison.h"

namespace vitrail::cli {

void add_report(CLI::App& app, Action& action) {
  struct Options {
    std::vector<std::string> runs;
    std::string out = "comparison.html";
  };
  auto o = std::make_shared<Options>();
  Command command(app, "report", "Compare runs on one page: results, curves, what differs");
  command.option("runs", o->runs, "Folders that train wrote").required();
  command.option("--out", o->out, "The page to write (comparison.html)");
  command.footer(
      "Each run has a page of its own as well, report.html in its folder.\nExample: vitrail report runs/a runs/b --out "
      "compared.html");
  command.runs(action, [o] {
    check(o->runs.size() <= report::kMostRuns, ErrorKind::kValue, "report", "a page compares at most ", report::kMostRuns,
          " runs: there are ", o->runs.size(), ".");
    check_page_target("report", o->out);
    std::vector<report::RunData> runs;
    for (const std::string& folder : o->runs) runs.push_back(report::read_run(folder));
    write_file_atomically(o->out, report::comparison_page(std::move(runs)));
    std::printf("written: %s\n", escaped_path(o->out).c_str());
    return 0;
  });
}

}  // namespace vitrail::cli
