#include "cli/bench_report.h"

#include <algorithm>
#include <cstdarg>
#include <cstdlib>
#include <numeric>

#include "base/json_writer.h"
#include "tensor/machine/probe.h"
#include "tensor/product/gemm.h"

namespace vitrail::cli {

namespace {

__attribute__((format(printf, 1, 2))) std::string format(const char* pattern, ...) {
  char buffer[512];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(buffer, sizeof buffer, pattern, arguments);
  va_end(arguments);
  return buffer;
}

// How the threads wait: tensor/machine/waiting.h sets the count unless the user has said something else.
std::string waiting() {
  for (const char* name : {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}) {
    if (const char* value = std::getenv(name)) return std::string(name) + " " + value;
  }
  return "waiting as libgomp does";
}

double megabytes(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

std::string rate(double value, const char* pattern) { return value > 0 ? format(pattern, value) : std::string("-"); }

std::string breakdown_text(const BenchResult& r) {
  const double steps = static_cast<double>(r.steps()), whole = r.mean_seconds() * steps;
  std::string text = format("%-22s %-9s %6s %10s %8s %9s %9s %9s %8s\n", "op", "pass", "calls", "ms", "share", "GFLOP",
                            "GFLOP/s", "MB", "GB/s");
  for (const ProfileEntry& e : sorted_breakdown(r)) {
    const double flops = static_cast<double>(e.flops), bytes = static_cast<double>(e.bytes);
    text += format("%-22s %-9s %6.0f %10.3f %7.1f%% %9s %9s %9s %8s\n", e.name.c_str(), name_of(e.pass),
                   static_cast<double>(e.calls) / steps, 1e3 * e.seconds / steps, 100 * ratio(e.seconds, whole),
                   rate(flops / steps / 1e9, "%.3f").c_str(), rate(ratio(flops, e.seconds) / 1e9, "%.1f").c_str(),
                   rate(bytes / steps / 1e6, "%.1f").c_str(), rate(ratio(bytes, e.seconds) / 1e9, "%.1f").c_str());
  }
  return text + format("%-22s %-9s %6s %10.3f %7.1f%% %9.3f\n", "sum = mean step", "", "", 1e3 * r.mean_seconds(), 100.0,
                       static_cast<double>(r.flops_per_step) / 1e9);
}

}  // namespace

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

double BenchResult::mean_seconds() const {
  return ratio(std::accumulate(step_seconds.begin(), step_seconds.end(), 0.0), static_cast<double>(steps()));
}

double BenchResult::median_seconds() const {
  std::vector<double> sorted = step_seconds;
  std::sort(sorted.begin(), sorted.end());
  const size_t n = sorted.size();
  return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

ProductShare product_share(const BenchResult& r) {
  double seconds = 0, flops = 0, all = 0;
  for (const ProfileEntry& e : r.breakdown) {
    all += e.seconds;
    if (e.flops > 0) seconds += e.seconds, flops += static_cast<double>(e.flops);
  }
  return {ratio(seconds, all), ratio(flops, seconds) / 1e9};
}

std::vector<ProfileEntry> sorted_breakdown(const BenchResult& r) {
  std::vector<ProfileEntry> entries = r.breakdown;
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  return entries;
}

std::string to_text(const BenchResult& r) {
  const auto [fastest, slowest] = std::minmax_element(r.step_seconds.begin(), r.step_seconds.end());
  const ProductShare products = product_share(r);
  std::string text =
      format("%s, %lld parameters, %lld x %lld pixels, batch %lld, %s, %s\n", r.model.c_str(),
             static_cast<long long>(r.parameters), static_cast<long long>(r.img_height), static_cast<long long>(r.img_width),
             static_cast<long long>(r.batch_size), r.mode == "train" ? "training steps" : "inference", r.precision.c_str());
  text += format("%s, %lld threads (%s), BLIS kernels for %s\n\n", processor_name().c_str(), static_cast<long long>(r.threads),
                 waiting().c_str(), blas_kernel_name().c_str());
  text += format("images per second  %.2f\nms per step        %.2f (fastest %.2f, slowest %.2f, %lld steps)\n",
                 r.images_per_second(), 1e3 * r.median_seconds(), 1e3 * *fastest, 1e3 * *slowest,
                 static_cast<long long>(r.steps()));
  text += format("GFLOP/s            %.1f of matrix products, %.1f %% of the peak of %.1f measured here\n",
                 r.gflops_per_second(), 100 * ratio(r.gflops_per_second(), r.peak_gflops), r.peak_gflops);
  text += format("memory             %.1f GB/s measured here; tensors at most %.1f MiB, process at most %.1f MiB\n\n",
                 r.bandwidth_gb, megabytes(r.peak_tensor_bytes), megabytes(r.peak_rss_bytes));
  text += breakdown_text(r);
  return text + format(
                    "\nops with matrix products: %.1f %% of the step at %.1f GFLOP/s = %.1f %% of the peak; everything else "
                    "%.1f %%\n",
                    100 * products.share, products.gflops, 100 * ratio(products.gflops, r.peak_gflops),
                    100 * (1 - products.share));
}

namespace {

void add_breakdown(JsonWriter& json, const BenchResult& r) {
  const double steps = static_cast<double>(r.steps());
  json.key("breakdown").begin_array();
  for (const ProfileEntry& e : sorted_breakdown(r)) {
    const double flops = static_cast<double>(e.flops), bytes = static_cast<double>(e.bytes);
    json.begin_object().field("op", e.name).field("pass", name_of(e.pass)).field("calls", static_cast<double>(e.calls) / steps);
    json.field("ms", 1e3 * e.seconds / steps).field("share", ratio(e.seconds, r.mean_seconds() * steps));
    json.field("flops", flops / steps).field("gflops", ratio(flops, e.seconds) / 1e9);
    json.field("bytes", bytes / steps).field("gb_per_second", ratio(bytes, e.seconds) / 1e9).end_object();
  }
  json.end_array();
}

}  // namespace

std::string to_json(const BenchResult& r) {
  const auto [fastest, slowest] = std::minmax_element(r.step_seconds.begin(), r.step_seconds.end());
  const ProductShare products = product_share(r);
  JsonWriter json(2);
  json.begin_object().field("model", r.model).field("parameters", r.parameters);
  json.field("img_size", std::vector<int64_t>{r.img_height, r.img_width}).field("batch_size", r.batch_size);
  json.field("mode", r.mode).field("precision", r.precision).field("threads", r.threads).field("steps", r.steps());
  json.field("warmup", r.warmup).field("waiting", waiting()).field("processor", processor_name());
  json.field("blas_kernels", blas_kernel_name()).field("images_per_second", r.images_per_second());
  json.key("step_ms").begin_object().field("median", 1e3 * r.median_seconds()).field("min", 1e3 * *fastest);
  json.field("max", 1e3 * *slowest).field("mean", 1e3 * r.mean_seconds()).end_object();
  json.field("flops_per_step", r.flops_per_step).field("gflops", r.gflops_per_second()).field("peak_gflops", r.peak_gflops);
  json.field("share_of_peak", ratio(r.gflops_per_second(), r.peak_gflops)).field("bandwidth_gb", r.bandwidth_gb);
  json.field("peak_tensor_bytes", r.peak_tensor_bytes).field("peak_rss_bytes", r.peak_rss_bytes);
  json.field("base_rss_bytes", r.base_rss_bytes);
  json.key("products").begin_object().field("share_of_step", products.share).field("gflops", products.gflops);
  json.field("share_of_peak", ratio(products.gflops, r.peak_gflops)).end_object();
  add_breakdown(json, r);
  return json.end_object().text();
}

}  // namespace vitrail::cli
