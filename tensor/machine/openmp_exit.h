// libgomp calls exit(1) if the system refuses it memory or a thread. tensor/machine/parallel.cpp detects most such cases
// beforehand and throws an Error; the others at least end with the exit code of ErrorKind::kMemory.
#pragma once

namespace vitrail::detail {

// Marks code that may start an OpenMP region, ours or that of BLIS, for as long as it lives. Only libgomp calls exit there;
// such an exit prints one line and ends the process with exit code 5.
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
