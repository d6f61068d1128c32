// The folder that a training run writes into, its own for as long as it runs.
#pragma once

#include <string>

namespace vitrail {

class RunFolder {
 public:
  // Makes the folder if it is missing and locks it (flock on run.lock: the lock ends with the process, however that ends).
  // Error(kValue) if another run is writing into it, or if it holds a model or a checkpoint and `replace` is false; Error(kIo) if the file
  // system refuses.
  RunFolder(const std::string& path, bool replace);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  // What describes the machine and the run, and so does not belong into the model: run.json, replaced atomically.
  void describe(const std::string& json) const;

  // The second of the constructor's rules alone, for an answer before anything has been loaded.
  static void check_free(const std::string& path, bool replace);

 private:
  std::string path_, lock_path_;
  int fd_ = -1;
};

}  // namespace vitrail
