// Tables as text: RFC 4180, with what spreadsheets make of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vitrail {

struct CsvRow {
  int64_t line = 0;  // in the file, from 1: where the row begins
  std::vector<std::string> cells;
};

// All rows, the header among them. A byte order mark is passed over; lines end with LF or CR LF; a cell in double quotes may
// hold separators, line ends and doubled quotes; blank lines are no rows. The separator is the first of , ; and tab that the
// first line holds outside of quotes. Error(kData) naming `name` and the line: a quote that does not end, text after a closing
// quote, a quote inside of a bare cell, a NUL byte, a row with more or fewer cells than the first.
std::vector<CsvRow> parse_csv(const std::string& text, const std::string& name);

}  // namespace vitrail
