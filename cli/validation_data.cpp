#include "cli/validation_data.h"

#include "base/text.h"
#include "cli/model_options.h"
#include "data/relabelled.h"

namespace vitrail::cli {

DatasetPtr validation_data(const std::string& path, const DataFlags& files, int64_t limit, const ModelCard& card) {
  DatasetOptions options = dataset_options(files);
  options.decode = decode_options(card.preprocessing);
  // The model decides the size of pictures from files; --image-size is for the set that the program draws in any size.
  if (path != "scenes") options.image_size = card.preprocessing.height;
  const DatasetSource source = open_source(path, options);
  print_notes(source);
  DatasetPtr data = source.open(Split::kValidation);
  if (std::string(result_name(data->info())) == "test")
    complain("note: there is no validation part: the test part is taken, so a test on it says too much good of the result");
  if (limit > 0) data = limited(data, limit);
  if (const std::string note = about_order(data->class_names(), card.class_names); !note.empty()) complain("note: " + note);
  return with_classes(data, card.class_names);
}

}  // namespace vitrail::cli
