// What reading pictures costs training: ViT-Ti/16 at 224 x 224 trained from the picture files of a folder (decoded, resized,
// augmented), in pairs with the same pictures decoded in memory, for 0 and more workers. make bench-loader ARGS="FOLDER [batch]
// [rounds] [workers]"
#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "bench/timing.h"
#include "data/image/image.h"
#include "data/loader.h"
#include "data/sets/walk.h"
#include "models/presets.h"
#include "train/optim/optim.h"

using namespace vitrail;

namespace {

constexpr int64_t kSide = 224;
constexpr size_t kMostPictures = 1024;

DatasetInfo colour_224() {
  return {.name = "files",
          .channels = 3,
          .height = kSide,
          .width = kSide,
          .class_names = {"one", "other"},
          .mean = {0.485, 0.456, 0.406},
          .std = {0.229, 0.224, 0.225}};
}

// The pictures below a folder, read each time that they are asked for.
class Files : public Dataset {
 public:
  explicit Files(const std::string& folder) : Dataset(colour_224()) {
    Skipped skipped;
    paths_ = pictures_below(folder, skipped);
    if (paths_.size() > kMostPictures) paths_.resize(kMostPictures);
    check(!paths_.empty(), ErrorKind::kIo, "bench", "there are no pictures below ", folder);
  }
  int64_t size() const override { return static_cast<int64_t>(paths_.size()); }
  int64_t label(int64_t index) const override { return index % 2; }
  Sample sample(int64_t index) const override {
    return {convert_channels(read_image(paths_.at(static_cast<size_t>(index))), 3), label(index)};
  }

 private:
  std::vector<std::string> paths_;
};

// The same at the model's size, in memory.
DatasetPtr decoded(const Files& files, const Preprocessing& preprocessing) {
  Tensor images = empty({files.size(), 3, kSide, kSide}, Dtype::u8), labels = empty({files.size()}, Dtype::i64);
  parallel_for(files.size(), 1, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const Tensor picture = fit(files.sample(i).image, preprocessing);
      std::copy_n(picture.data<uint8_t>(), picture.numel(), images.mutable_data<uint8_t>() + i * picture.numel());
      labels.mutable_data<int64_t>()[i] = files.label(i);
    }
  });
  return std::make_shared<MemoryDataset>(colour_224(), images, labels);
}

// Of all threads: what other programs do meanwhile does not count.
double processor_now() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

struct Source {
  std::string name;
  std::unique_ptr<Loader> loader;
  int64_t step = 0;
  std::vector<double> seconds{}, processor_seconds{};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::printf("loader: needs a folder of pictures: make bench-loader ARGS=\"FOLDER [batch] [rounds] [most workers]\"\n");
    return 0;
  }
  const auto number = [&](int index, int64_t usual) { return argc > index ? std::strtoll(argv[index], nullptr, 10) : usual; };
  const int64_t batch = number(2, 32), rounds = number(3, 10), most_workers = number(4, 1);
  const auto files = std::make_shared<Files>(argv[1]);
  const Transform transform{preprocessing_for(files->info()), {.mirror = true}};
  std::vector<Source> sources;
  const auto add = [&](const std::string& name, const DatasetPtr& data, int64_t workers) {
    LoaderOptions options{.batch_size = std::min(batch, data->size()), .seed = 1, .drop_last = true};
    options.workers = workers;
    sources.push_back({name, std::make_unique<Loader>(data, transform, options)});
  };
  add("memory", decoded(*files, transform.preprocessing), 0);
  for (int64_t workers = 0; workers <= most_workers; ++workers) add(cat("files, ", workers, " workers"), files, workers);

  Rng rng(1);
  const auto model = models::make_model(models::find_preset("vit_tiny_patch16_224").config, rng);
  AdamW optimizer(make_param_groups(*model, 0.05));
  const auto step = [&](Source& source) {
    const int64_t batches = source.loader->batches();
    const double start = bench::now(), processor_start = processor_now();
    const Batch b = source.loader->batch(source.step / batches, source.step % batches);
    const Variable loss = cross_entropy((*model)(b.images), b.labels);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step(1e-5);
    ++source.step;
    source.seconds.push_back(bench::now() - start);
    source.processor_seconds.push_back(processor_now() - processor_start);
  };
  std::printf("%s, %d threads, %lld pictures, batches of %lld, %lld rounds\n", processor_name().c_str(), num_threads(),
              static_cast<long long>(files->size()), static_cast<long long>(batch), static_cast<long long>(rounds));
  for (Source& source : sources) step(source), step(source), source.seconds.clear(), source.processor_seconds.clear();
  // Turn by turn, so that whatever else the machine does meets all of them. A source has two batches ready when its turn comes,
  // and the worker of the one before may still fill its own: so the first two of five steps are not counted.
  for (int64_t round = 0; round < rounds; ++round) {
    for (Source& source : sources) {
      const size_t before = source.seconds.size();
      for (int i = 0; i < 5; ++i) step(source);
      for (std::vector<double>* times : {&source.seconds, &source.processor_seconds})
        times->erase(times->begin() + static_cast<int64_t>(before), times->begin() + static_cast<int64_t>(before) + 2);
    }
  }
  const auto speed = [&](const std::vector<double>& seconds) { return static_cast<double>(batch) / bench::median(seconds); };
  const double memory = speed(sources.front().seconds), memory_processor = speed(sources.front().processor_seconds);
  for (const Source& source : sources) {
    std::printf("%-18s %8.1f images/s %+6.1f %%   %8.1f images per second of a processor %+6.1f %%\n", source.name.c_str(),
                speed(source.seconds), 100 * (speed(source.seconds) / memory - 1), speed(source.processor_seconds),
                100 * (speed(source.processor_seconds) / memory_processor - 1));
  }
}
