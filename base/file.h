// Reading and writing whole files. The result of every system call is checked; an ofstream to a full disk fails silently.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/text.h"

namespace vitrail {

// An open file of known size. Only regular files: a FIFO or a device would block or never end.
class InputFile {
 public:
  // Error(kIo) naming path and the system's reason.
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }
  int64_t size() const { return size_; }
  // Copies bytes [offset, offset + bytes) to `to`. Error(kIo) if the system fails, Error(kData) if the file ends earlier.
  void read_at(int64_t offset, void* to, int64_t bytes) const;

 private:
  std::string path_;
  int fd_ = -1;
  int64_t size_ = 0;
};

// The whole file. Error(kIo) as above; Error(kData) if it is larger than max_bytes.
std::vector<uint8_t> read_file(const std::string& path, int64_t max_bytes = int64_t{1} << 40);
std::string read_text_file(const std::string& path, int64_t max_bytes = int64_t{1} << 24);

// Replaces the content of `path` by the pieces in their order: temporary file in the same folder, full write, fsync, rename,
// fsync of the folder. After a crash at any point `path` holds its old or its new content, never a part. On any error the
// temporary file is removed and the old content stays: Error(kIo) naming path and the system's reason.
void write_file_atomically(const std::string& path, const std::vector<std::span<const uint8_t>>& pieces);
void write_file_atomically(const std::string& path, const std::string& text);
// The same, piece by piece: piece(i) is called when the pieces before it have been written, and what it gives must live until
// the next call. What it throws is passed on, and the old content stays.
void write_file_atomically(const std::string& path, size_t pieces,
                           const std::function<std::span<const uint8_t>(size_t)>& piece);

// Removes what killed processes of this machine left of files that they were writing into the folder; only names that
// write_file_atomically() gives, and none that a process is still writing.
void remove_temporary_files(const std::string& folder);
// Gives the file `from` the name `to` of the same folder, in place of a file that had it, and brings the folder to the disk.
// Error(kIo) naming path and the system's reason; then either both names are as they were, or the rename is done and only the
// disk may not know it yet.
void rename_file(const std::string& from, const std::string& to);
// Removes a file; one that is not there is no error. Error(kIo) as above.
void remove_file(const std::string& path);

}  // namespace vitrail
