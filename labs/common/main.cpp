// The entry point of every lab's tests. It runs one suite, or its probes (LAB_PROBE), and tells labtool the results line by
// line on a descriptor of their own, each behind a ticket that was read before any other code ran: what a student's code prints
// is never taken for a result.
#define DOCTEST_CONFIG_IMPLEMENT
#define DOCTEST_CONFIG_NO_POSIX_SIGNALS  // a crash ends the process: labtool says so, and where
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "labs/common/lab.h"

namespace {

constexpr int kTicketDescriptor = 197, kResultsDescriptor = 198;  // labs/tool/suite.cpp writes to and reads from them
constexpr size_t kTicketBytes = 32;
char ticket[kTicketBytes + 1];

// Before the constructors of static objects, a student's among them.
__attribute__((constructor(101))) void read_ticket() {
  size_t got = 0;
  while (got < kTicketBytes) {
    const ssize_t n = read(kTicketDescriptor, ticket + got, kTicketBytes - got);
    if (n <= 0) break;
    got += static_cast<size_t>(n);
  }
  close(kTicketDescriptor);
}

std::string json_text(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) >= 127 ? '?' : c;
    }
  }
  return out + "\"";
}

void say(const std::string& line) {
  const std::string text = ticket + line + "\n";
  const int descriptor = ticket[0] ? kResultsDescriptor : STDOUT_FILENO;  // without a ticket: started by hand
  if (write(descriptor, text.data(), text.size()) < 0) std::abort();
}

struct LabReporter : doctest::IReporter {
  explicit LabReporter(const doctest::ContextOptions&) {}
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats& stats) override {
    say("{\"end\":" + std::to_string(stats.numTestCasesPassingFilters) + ",\"checks\":" + std::to_string(stats.numAsserts) +
        "}");
  }
  void test_case_start(const doctest::TestCaseData& test) override {
    name_ = test.m_name;
    message_.clear();
    say("{\"start\":" + json_text(name_) + "}");
  }
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats& stats) override {
    say("{\"case\":" + json_text(name_) + ",\"passed\":" + (stats.failure_flags == 0 ? "true" : "false") +
        ",\"message\":" + json_text(message_) + "}");
  }
  void test_case_exception(const doctest::TestCaseException& thrown) override {
    if (message_.empty()) message_ = std::string(thrown.error_string.c_str()) + contexts();
  }
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData& check) override {
    if (!check.m_failed || !message_.empty()) return;
    if (check.m_threw) {
      message_ = check.m_exception.c_str();
    } else if (check.m_at &
               (doctest::assertType::is_throws | doctest::assertType::is_throws_as | doctest::assertType::is_throws_with)) {
      message_ = std::string(check.m_expr) + ": should have been refused with an Error, but was accepted";
    } else if (std::string(check.m_expr).ends_with("== \"\"")) {  // a function that says what is wrong
      message_ = difference_of(check.m_decomp.c_str());
    } else {
      message_ = std::string(check.m_expr) + "  gives  " + check.m_decomp.c_str();
    }
    message_ += contexts();
  }
  void log_message(const doctest::MessageData& message) override {
    if (message_.empty() && (message.m_severity & doctest::assertType::is_warn) == 0)
      message_ = message.m_string.c_str() + contexts();
  }
  void test_case_skipped(const doctest::TestCaseData&) override {}

 private:
  // What the function said, out of doctest's `element [1] is ... == `.
  static std::string difference_of(const std::string& decomposed) {
    const size_t end = decomposed.rfind(" == ");
    return decomposed.substr(0, end);
  }
  // The values that the test captured: the input of the failing check.
  static std::string contexts() {
    std::ostringstream out;
    const doctest::IContextScope* const* active = get_active_contexts();
    for (int i = 0; i < get_num_active_contexts(); ++i) {
      out << (i ? ", " : "  [");
      active[i]->stringify(&out);
    }
    const std::string text = out.str();
    return text.empty() ? text : text + "]";
  }

  std::string name_, message_;
};
REGISTER_REPORTER("lab", 1, LabReporter);

struct RegisteredProbe {
  std::string exercise;
  lab::Probe probe;
};
std::vector<RegisteredProbe>& probes() {
  static std::vector<RegisteredProbe> all;
  return all;
}

int run_probes(const std::string& exercise) {
  for (const RegisteredProbe& p : probes()) {
    if (p.exercise != exercise) continue;
    say("{\"probing\":true}");
    std::string text;
    try {
      text = p.probe();
    } catch (const lab::NotWritten&) {
      text = "not written";
    } catch (const std::exception&) {
      text = "refused";
    }
    say("{\"probe\":" + json_text(text) + "}");
  }
  say("{\"end\":0}");
  return 0;
}

}  // namespace

namespace lab {
// Which variant this program is, where it holds several (labs/tool/variants.h).
extern const int variant;
const int variant = std::getenv("LAB_VARIANT") != nullptr ? std::atoi(std::getenv("LAB_VARIANT")) : 0;

ProbeRegistration::ProbeRegistration(const char* exercise, Probe probe) { probes().push_back({exercise, probe}); }
}  // namespace lab

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // what was printed before a crash is seen
  if (argc == 3 && std::strcmp(argv[1], "--probe") == 0) return run_probes(argv[2]);
  doctest::Context context(argc, argv);
  context.setOption("no-breaks", true);
  return context.run();
}
