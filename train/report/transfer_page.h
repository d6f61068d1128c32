// What a trained model is worth for other data: the results of `vitrail transfer` as text, JSON and a page.
#pragma once

#include <string>
#include <vector>

namespace vitrail::report {

// One way to use the model, on one part of the training pictures.
struct TransferRow {
  std::string method;       // "knn", "ridge", "lora", "partial", "full", "scratch"
  double share = 1;         // of the training pictures
  int64_t images = 0;       // so many
  double accuracy = 0;      // on the test part
  double seconds = 0;       // features or training, its tests included
  int64_t trained = 0;      // parameters that were fitted; of neighbours: none
  double megabytes = 0;     // of what must be kept beside the base: trained parameters in f32, of neighbours the features
  std::string folder = {};  // of the run; "" if none
};

std::string transfer_table(const std::vector<TransferRow>& rows);
std::string transfer_json(const std::vector<TransferRow>& rows);
// Back from that text. Error(kData) naming `where`.
std::vector<TransferRow> transfer_rows(const std::string& text, const std::string& where);
// The rows as a table of a page.
std::string transfer_rows_html(const std::vector<TransferRow>& rows);
// `left_out`: rungs for which there was no time.
std::string transfer_page(const std::string& title, const std::vector<TransferRow>& rows,
                          const std::vector<std::string>& left_out);

}  // namespace vitrail::report
