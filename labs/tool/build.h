// From regions to a program: compiles what differs from the framework, and links it before the library.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "labs/tool/catalog.h"
#include "labs/tool/splice.h"

namespace vitrail::labs {

// How make compiles and links (labs/labs.mk): commands with {in}, {out} and {objects}.
struct Toolchain {
  std::string folder;    // LAB_BUILD: for objects and programs
  std::string compile;   // LAB_COMPILE
  std::string link;      // LAB_LINK
  std::string library;   // LAB_LIBRARY
  std::string config;    // "release", "asan"
  bool confined = true;  // LAB_CONFINED=no: programs run without confine(), for what needs to write to start (labs/labs.mk)
  int time_factor = 1;   // TIME_FACTOR: the limits of processor time are multiplied by it, for slow machines and emulators
};
// From the environment. Error(kValue) if one is missing (the tool is started by make), or TIME_FACTOR is no
// number from 1 to 1000.
Toolchain toolchain();

// Held while programs are built and run: a second run in the same tree waits, since each removes programs that it does not
// need.
class FolderLock {
 public:
  explicit FolderLock(const Toolchain& tools);  // Error(kIo)
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int fd_;
};

struct Built {
  std::string program;                        // "" if there is none
  std::string failure;                        // why not
  std::map<std::string, std::string> broken;  // exercise -> what the compiler says of it
};

// The tests of a lab (or another object with main(), `with`) with `bodies` in its files. A region that does not compile is
// replaced by its message, and the rest is built.
Built build(const Toolchain& tools, const Lab& lab, const std::vector<SourceFile>& files, FileBodies bodies,
            const std::vector<std::string>& with);

// The object of one file with `bodies`, in which regions that do not compile are replaced by their message. "" if nothing
// helps.
std::string build_object(const Toolchain& tools, const SourceFile& file, const Bodies& bodies, Built& built);

// The objects of the lab's tests and of the main program that runs them.
std::vector<std::string> test_objects(const Toolchain& tools, const Lab& lab);

// Removes a program that is not needed again; of those that are left, the newest few are kept.
void forget(const Built& built);
void forget_old_programs(const Toolchain& tools);

uint64_t hash_of(const std::string& text);
std::string hex_of(uint64_t number);

}  // namespace vitrail::labs
