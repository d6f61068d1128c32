// What a path holds, told by what lies there: nobody needs to know a set's name.
#pragma once

#include <string>

namespace vitrail {

struct Recognised {
  std::string name;  // in the table of data/sets/registry.cpp: "fashion-mnist", "folder", "list", ...
  std::string note;  // a sentence for the user about what was concluded and how to say otherwise; "" where the names of the
                     // files leave no doubt
};

// A file: a list by its ending. A folder: IDX files (those under MNIST's names are told apart by their labels and pixels),
// CIFAR's .bin files, one list beside at most one folder of pictures, else folders of pictures. Error(kIo) if there is nothing
// at `path`; Error(kValue) if it is no data set (a saved model, a single picture), or may be several (more than one part of
// EMNIST), with what to write instead.
Recognised recognise(const std::string& path);

// The list that a folder of one list is read by.
std::string only_list_in(const std::string& folder);

}  // namespace vitrail
