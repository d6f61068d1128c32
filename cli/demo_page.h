// What the demo tells at its end: attention pictures of two letters, and the whole story on one page.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "models/classifier.h"
#include "train/report/transfer_page.h"

namespace vitrail::cli {

struct ShownLetter {
  std::string name, answer;  // "K"; "K 98.1 %"
  std::string page;          // in the demo's folder: attention patch by patch
  std::string figure;        // HTML: the picture, and where the model looked
};

struct DemoStory {
  std::string folder, model;  // of the demo; of the run on letters with the best result
  int64_t digits = 0, letters = 0;
  double digits_accuracy = 0, seconds = 0;
  std::vector<report::TransferRow> rows;
  std::vector<ShownLetter> shown;
};

// Error(kValue) naming the model if it has no attention to show.
void check_can_look(models::Classifier& model);
// Error(kValue) if the folder holds the results of a ladder.
void check_no_ladder(const std::string& folder);

// The first letters of two classes: FOLDER/picture.png (the first one), FOLDER/attention-K.html, and story.shown.
void show_letters(DemoStory& story, const Dataset& letters);

std::string demo_page(const DemoStory& story);

}  // namespace vitrail::cli
