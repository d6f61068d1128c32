// CRC-32C: finds every burst of up to 32 changed bits, and all but one of 2^32 other damages. A guard against broken disks and
// cut files, not against an attacker.
#pragma once

#include <cstdint>
#include <span>

namespace vitrail {

// The CRC with Castagnoli's polynomial 0x1EDC6F41, as iSCSI defines it (RFC 3720, appendix B.4): of "123456789" it is
// 0xE3069283. `before`: the CRC of the bytes in front, so that crc32c(b, crc32c(a)) is the CRC of a and b together.
uint32_t crc32c(std::span<const uint8_t> bytes, uint32_t before = 0);
// The same by tables alone, for processors without the instruction (SSE 4.2); the tests hold the two against each other.
uint32_t crc32c_by_tables(std::span<const uint8_t> bytes, uint32_t before = 0);

}  // namespace vitrail
