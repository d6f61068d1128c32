// `vitrail train` on several ranks: what the command line does together with the others (docs/cluster.md).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vitrail::cli {

// For main(), before the command: where a launcher started several processes, connects them. Error(kValue) if this program
// cannot be one of several, or the command is for one process. Returns how many run on this machine.
int join_ranks(int argc, char** argv);
// The end of a program whose command has returned `code`, with all output written: Open MPI ends all as soon as one has left
// with a code that is not 0. All ranks leave together.
int leave_ranks(int code);
// Says an error. Of several ranks each but the first says who it is, after a moment in which a lower one may have said the
// same; then all ranks end with `code`.
int end_with(const std::string& message, int code);

// From here on a rank that gives no sign of life for so many seconds (0: for ever) is lost, and ends all.
void watch_ranks(double timeout);
// Error(kValue) where a rank was given another value of one of these flags than rank 0, so that one would wait for what the
// other does not do. Names and values.
void require_same_flags(const std::vector<std::pair<std::string, std::string>>& flags);

// Whether this is the rank that writes; true where there is one.
bool leads();
// The file that lies at `path` on rank 0: itself there, a copy in memory elsewhere, for as long as this lives. All ranks make
// one together.
class FileOfRank0 {
 public:
  explicit FileOfRank0(std::string path);
  ~FileOfRank0();
  FileOfRank0(const FileOfRank0&) = delete;
  FileOfRank0& operator=(const FileOfRank0&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int copy_ = -1;  // descriptor
};
// Shares the processors among the ranks that may use the same ones. `threads`: those that were asked for, 0: all. Warns of more
// threads than there are processors.
void share_processors(int64_t threads, bool quiet);
// Warns, on rank 0, of ranks whose processors are given other kernels for products: each product of a gradient is computed on
// one rank, so that all hold the same weights, but another mixture of processors gives other last bits. Error(kValue) where the
// update has products, too, which each rank computes for itself.
void compare_kernels(bool products_in_update, bool quiet);

}  // namespace vitrail::cli
