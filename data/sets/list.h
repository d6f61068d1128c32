// Pictures in a list: a table (CSV) or JSON lines that name files, labels, and perhaps parts.
#pragma once

#include <string>

#include "data/sets/source.h"

namespace vitrail {

// A file NAME.csv, NAME.tsv, NAME.jsonl or NAME.ndjson.
//   CSV: the first line names the columns, in any order and case: path (file, file_name, filename, image), label (class,
//   category),
//     and perhaps split (set, part, subset); other columns are passed over.
//   JSON lines: an object a line with the same keys; other keys are passed over.
// Several labels per picture (PictureList::multi_label), where the content says so, or `form` does:
//   CSV: a label column whose cells hold labels between ; or |, or which is called labels, classes, categories or tags; an
//   empty cell
//     is a picture without a label. Or, without a label column, a column per class that holds 0 or 1.
//   JSON lines: an array of texts under one of these keys, or texts as above.
// With LabelsPerPicture::kOne a cell is one label whatever it holds.
//
// Paths are relative to the folder of the list and stay below it, neither absolute nor with .. in front; a link that lies there
// may lead elsewhere: it is the disk of whoever made the list. Labels are names, or whole numbers from 0 (then all of them);
// classes are the different labels in natural order. split: train, val or test (also training, valid, validation, testing);
// empty: train.
// Error(kIo) if the list cannot be read; Error(kData) naming the line if it is damaged, a path leaves the folder, a label is
// empty or no number where the others are, a split is unknown, or a file has two labels; if there are no rows or no labels, or
// val or test has a class that train has not (with several labels a note). `collect` as in scan_folder. Whether the files are
// there shows when they are read.
PictureList read_list(const std::string& path, bool collect = false, LabelsPerPicture form = LabelsPerPicture::kByContent);
// The same from the text of a list that lies at `path`.
PictureList parse_list(const std::string& text, const std::string& path, bool collect = false,
                       LabelsPerPicture form = LabelsPerPicture::kByContent);

// Whether a file of this name is a list, by its ending.
bool is_list_name(const std::string& name);

}  // namespace vitrail
