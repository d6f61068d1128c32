// Unpacking of gzip files (RFC 1952) held in memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vitrail {

// The two bytes that every gzip file begins with.
bool is_gzip(const std::vector<uint8_t>& bytes);

// The first `limit` unpacked bytes, or all if there are fewer: then the file was read to its end, one or more members, each
// with its checksum. Error(kData), naming `name`, if it ends early, is damaged, or is followed by other bytes.
std::vector<uint8_t> gunzip(const std::vector<uint8_t>& bytes, const std::string& name, int64_t limit);

}  // namespace vitrail
