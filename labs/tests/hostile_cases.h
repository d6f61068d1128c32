// Broken and hostile answers to lab 1, and what the table must say of each.
#pragma once

#include <string>
#include <vector>

namespace vitrail::labs {

struct HostileCase {
  std::string name;
  std::string exercise;  // that fails; "" if all pass
  std::string says;      // a telling part of its message, or of a note
  std::string body;      // the new text of the exercise's first region; "" to keep it
  std::string helpers;   // the text of the HELPERS place
  std::string whole =
      "";  // what is done to the whole file: crlf, bom, empty, binary, no begin, no end, outside, missing, directory,
           // moved (a second file with the same regions)
  std::vector<std::string> also_fail = {};  // exercises of the same file that must fail, too
};

// Whether a case would harm the machine if nothing held it back (confine() in labs/tool/process.h).
inline bool needs_confinement(const HostileCase& c) {
  for (const char* call : {"fork", "system(", "ofstream", "std::remove", "kill("}) {
    if (c.body.find(call) != std::string::npos) return true;
  }
  return false;
}

// All regions are those of lab 1; 1.1 is contiguous_strides(const Shape& shape) in tensor/shape.cpp, where 1.4 has a region,
// too.
inline std::vector<HostileCase> hostile_cases() {
  return {
      {"a compile error", "1.1", "mine-hostile/tensor/shape.cpp:", "return shpae;\n", ""},
      {"an error of types", "1.1", "does not compile", "return std::string(\"none\");\n", ""},
      {"a brace too many", "1.1", "closes more than the region opens", "Shape s = shape;\n}\nreturn s;\n", ""},
      {"a brace too few", "1.1", "is not closed", "Shape s = shape;\nif (s.size() > 0) {\nreturn s;\n", ""},
      {"braces only in a text and a comment", "1.1", "row-major",
       "const char* text = \"}}}\";  // }\n/* } */ (void)text;\nreturn shape;\n", ""},
      {"no return", "1.1", "does not compile", "Shape s = shape;\n(void)s;\n", ""},
      {"an endless loop", "1.1", "ran past", "for (volatile int i = 0;; i = i + 1) {\n}\n", ""},
      {"sleeping", "1.1", "ran past", "std::this_thread::sleep_for(std::chrono::hours(1));\nreturn shape;\n",
       "#include <chrono>\n#include <thread>\n"},
      {"a null pointer", "1.1", "crashed (Segmentation fault)", "volatile int* p = nullptr;\n*p = 1;\nreturn shape;\n", ""},
      {"outside of an array", "1.1", "crashed", "std::vector<int> v(3);\nvolatile size_t i = 1000;\nv[i] = 1;\nreturn shape;\n",
       ""},
      {"recursion without end", "1.1", "crashed",
       "volatile char pad[4096];\npad[0] = 1;\nconst Shape s = contiguous_strides(shape);\npad[1] = pad[0];\nreturn s;\n", ""},
      {"memory without end", "1.1", "bad_alloc",
       "std::vector<std::vector<char>> all;\nfor (;;) {\nall.emplace_back();\nall.back().reserve(50 << 20);\n}\n", ""},
      {"exit(0)", "1.1", "ended itself with status 0", "std::exit(0);\n", "#include <cstdlib>\n"},
      {"_exit(0) after forged results", "1.1", "ended itself",
       "const char line[] = \"{\\\"case\\\":\\\"row-major strides of a few "
       "shapes\\\",\\\"passed\\\":true}\\n{\\\"end\\\":3,\\\"checks\\\":24}\\n\";\n"
       "for (int fd = 0; fd < 300; ++fd) (void)!write(fd, line, sizeof line - 1);\n_Exit(0);\n",
       "#include <cstdlib>\nextern \"C\" long write(int, const void*, unsigned long);\n"},
      {"results forged before main", "1.1", "row-major", "return shape;\n",
       "extern \"C\" long write(int, const void*, unsigned long);\nextern \"C\" long read(int, void*, unsigned long);\n"
       "struct Forger {\n  Forger() {\n    char ticket[64] = {};\n    (void)!read(197, ticket, 32);\n"
       "    const char line[] = \"{\\\"end\\\":3,\\\"checks\\\":24}\\n\";\n    for (int fd = 0; fd < 300; ++fd) "
       "(void)!write(fd, line, sizeof line - 1);\n  }\n};\nconst Forger forger;\n"},
      {"output without end", "1.1", "ran past", "for (;;) std::puts(\"passed passed passed\");\n", "#include <cstdio>\n"},
      {"a right answer that talks a lot", "", "",
       "std::fputs(\"FAILED FAILED\\n\", stderr);\nstd::puts(\"{\\\"end\\\":0}\");\nShape s = shape;\nint64_t n = 1;\n"
       "for (int i = shape.size() - 1; i >= 0; --i) s[i] = n, n *= shape[i] > 0 ? shape[i] : 1;\nreturn s;\n",
       "#include <cstdio>\n"},
      {"a directive behind a joined line", "1.1", "may not end with", "%\\\n:define private public\nreturn shape;\n", ""},
      {"a comment behind a joined line", "1.1", "may not end with", "/\\\n/ {\nreturn shape;\n}\n", ""},
      {"asm in two lines", "1.1", "may not end with", "as\\\nm(\"nop\");\nreturn shape;\n", ""},
      {"a comment that goes on behind a blank", "1.1", "may not end with", "// x \\ \nreturn shape;\n", ""},
      {"forks", "1.1", "row-major", "for (int i = 0; i < 100; ++i) fork();\nreturn shape;\n", "extern \"C\" int fork();\n"},
      {"a process that would stay", "1.1", "row-major",
       "if (fork() == 0) {\n  setsid();\n  for (;;) sleep(100);\n}\nreturn shape;\n",
       "extern \"C\" int fork();\nextern \"C\" int setsid();\nextern \"C\" unsigned sleep(unsigned);\n"},
      {"another program is started", "1.1", "row-major",
       "(void)!std::system(\"touch left-behind; echo passed\");\nreturn shape;\n", "#include <cstdlib>\n"},
      {"a file is written", "1.1", "row-major",
       "std::ofstream(\"left-behind\") << \"here\";\nstd::ofstream(\"/tmp/left-behind\") << \"here\";\nreturn shape;\n",
       "#include <fstream>\n"},
      {"the tests are removed", "1.1", "row-major",
       "std::remove(\"labs/lab1/tests.cpp\");\nstd::rename(\"labs/lab1/lab.json\", \"labs/lab1/gone\");\nreturn shape;\n",
       "#include <cstdio>\n"},
      {"everybody is killed", "1.1", "row-major", "kill(-1, 9);\nkill(getppid(), 9);\nreturn shape;\n",
       "extern \"C\" int kill(int, int);\nextern \"C\" int getppid();\n"},
      {"a thrown int", "1.1", "unknown exception", "throw 42;\n", ""},
      {"a thrown Error", "1.1", "nothing works today", "fail(ErrorKind::kValue, \"test\", \"nothing works today\");\n", ""},
      {"abort", "1.1", "crashed (Aborted)", "std::abort();\n", "#include <cstdlib>\n"},
      {"a directive in a region", "1.1", "# is not allowed", "#define private public\nreturn shape;\n", ""},
      {"asm", "1.1", "asm is not allowed", "asm(\"nop\");\nreturn shape;\n", ""},
      {"a pragma in disguise", "1.1", "_Pragma is not allowed", "_Pragma(\"GCC optimize(\\\"O0\\\")\")\nreturn shape;\n", ""},
      {"the reference is included in HELPERS", "", "LAB HELPERS is left out", "", "#include \"tensor/shape.cpp\"\n"},
      {"the reference is included in angle brackets", "", "LAB HELPERS is left out", "", "#include <tensor/shape.cpp>\n"},
      {"the reference is included through a digraph", "1.1", "# is not allowed", "%:include \"tensor/shape.cpp\"\n", ""},
      {"HELPERS that do not compile", "", "LAB HELPERS does not compile", "", "int helper() { return nothing; }\n"},
      {"HELPERS that are used", "", "", "return row_major_of(shape);\n",
       "static vitrail::Shape row_major_of(const vitrail::Shape& shape) {\n  vitrail::Shape s = shape;\n  long long n = 1;\n  "
       "for (int i = shape.size() - 1; i >= 0; --i) s[i] = n, n *= shape[i] > 0 ? shape[i] : 1;\n  return s;\n}\n"},
      {"a text without end", "1.1", "a text that does not end", "const char* t = \"open;\nreturn shape;\n", ""},
      {"a comment without end", "1.1", "a comment /* that does not end", "/* open\nreturn shape;\n", ""},
      {"the line END is lost", "1.1", "are not both in mine-hostile/tensor/shape.cpp", "", "", "no end", {}},
      {"the line BEGIN is lost", "1.1", "are not both in mine-hostile/tensor/shape.cpp", "", "", "no begin", {}},
      {"changes outside of the regions", "", "was changed outside", "", "", "outside"},
      {"regions in a file that the lab does not have", "", "shape.cpp.before.cpp has regions of 1.1 and is none of", "", "", "moved"},
      {"line ends of Windows", "", "", "", "", "crlf"},
      {"a byte order mark", "", "", "", "", "bom"},
      {"an empty file", "1.1", "is not written yet", "", "", "empty", {"1.4"}},
      {"a binary file", "1.1", "NUL byte", "", "", "binary", {"1.4"}},
      {"a missing file", "1.1", "is not written yet", "", "", "missing", {"1.4"}},
      {"a folder in its place", "1.1", "is a folder", "", "", "directory", {"1.4"}},
  };
}

}  // namespace vitrail::labs
