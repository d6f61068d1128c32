// libgomp ends the process with exit(1) where the system refuses it memory or a thread. What is caught before is an Error
// (tensor/machine/parallel.cpp); the rest at least ends with the exit code of ErrorKind::kMemory.
#pragma once

namespace vitrail::detail {

// While it lives, this thread is in code that may start an OpenMP region: our own, or BLIS. An exit from there, which nobody
// but libgomp calls, prints one line and ends the process with exit code 5.
class InsideOpenMp {
 public:
  InsideOpenMp();
  ~InsideOpenMp();
  InsideOpenMp(const InsideOpenMp&) = delete;
  InsideOpenMp& operator=(const InsideOpenMp&) = delete;

 private:
  bool before_;  // regions nest
};

}  // namespace vitrail::detail
