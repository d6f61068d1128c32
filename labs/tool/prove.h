// make labs-prove: what must hold of every lab, shown by running it.
#pragma once

#include "labs/tool/suite.h"

namespace vitrail::labs {

struct ProveOptions {
  unsigned jobs = 2;
  bool record = false;   // write checks.json and fingerprints.json instead of comparing with them
  bool quick = false;    // without the known mistakes and the repetitions under other settings
  bool verbose = false;  // a line for each proof, not only for those that fail
  std::string exercise;  // only this one
};

// P1 the reference passes everything, with the recorded number of checks. P2 with all regions blank every test fails and names
// the missing exercise. P3 with one region blank exactly the exercises that declare it fail. P4 every known mistake compiles,
// is rejected by its own suite, and has a fingerprint of its own; each exercise has at least three. P5 order, threads and seeds
// do not change the verdict. Returns the number of proofs that failed.
int prove(const Toolchain& tools, const Lab& lab, const ProveOptions& options);

}  // namespace vitrail::labs
