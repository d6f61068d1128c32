// Writes small ZIP archives (PKWARE's APPNOTE 6.3): entries are stored as they are, without ZIP64.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vitrail {

// The bytes of an archive with these entries (name, content), in this order. The same entries give the same bytes: all times
// are 1 January 1980. Error(kValue) if a name is empty or stands twice, for more than 65,535 entries, or above 4 GiB.
std::vector<uint8_t> zip_of(const std::vector<std::pair<std::string, std::string>>& entries);

}  // namespace vitrail
