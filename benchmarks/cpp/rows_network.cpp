// All weight tensors of a ResNet-50 in one call, against one tensor of as many weights.
#include "check.hpp"
#include "workload.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace benchmarks {
namespace {

struct Layer {
  std::int64_t outputs, inputs, kernel;
  std::int64_t size() const { return outputs * inputs * kernel * kernel; }
};

/// The 53 convolutions and the classifier: He, Zhang, Ren, Sun: Deep residual learning for image recognition, table 1.
std::vector<Layer> resnet50() {
  std::vector<Layer> layers = {{64, 3, 7}};
  std::int64_t inputs = 64;
  const int blocks[] = {3, 4, 6, 3};
  for (int stage = 0; stage < 4; ++stage) {
    const std::int64_t width = std::int64_t(64) << stage;
    for (int block = 0; block < blocks[stage]; ++block) {
      layers.insert(layers.end(), {{width, inputs, 1}, {width, width, 3}, {4 * width, width, 1}});
      if (block == 0) layers.push_back({4 * width, inputs, 1});
      inputs = 4 * width;
    }
  }
  layers.push_back({1000, inputs, 1});
  return layers;
}

/// All tensors in one block, each on a cache line of its own, scaled as its layer is initialized.
struct Network {
  std::vector<Layer> layers = resnet50();
  std::unique_ptr<Tensor> weights;
  std::unique_ptr<Bits> masks;
  std::vector<RebuildJob> jobs;

  Network(const Options& options, float threshold, float delta) {
    std::int64_t total = 0;
    for (const Layer& layer : layers) total += padded(options.size(layer.size()));
    weights = std::make_unique<Tensor>(DType::float32, total);
    masks = std::make_unique<Bits>(total);
    std::int64_t first = 0;
    for (const Layer& layer : layers) {
      const std::int64_t size = options.size(layer.size());
      float* const data = static_cast<float*>(weights->view().data) + first;
      const auto fan_out = float(layer.outputs * layer.kernel * layer.kernel);
      fill_normal(data, first, size, std::sqrt(2 / fan_out));
      jobs.push_back({.weights = {data, size, DType::float32},
                      .mask = {masks->view().words + first / 32, size},
                      .mask_is_new = true,
                      .rule = prunecell::IterNonStruct{.threshold = threshold, .delta = delta}});
      first += padded(size);
    }
  }
  static std::int64_t padded(std::int64_t size) { return (size + 31) / 32 * 32; }
  std::int64_t size() const {
    std::int64_t sum = 0;
    for (const RebuildJob& job : jobs) sum += job.weights.size;
    return sum;
  }
};

Race together(const Options& options, const Workload& workload) {
  const auto network = std::make_shared<Network>(options, workload.threshold, workload.delta);
  const auto results = std::make_shared<std::vector<Result>>(network->jobs.size());
  const Context context = workload.context();
  prunecell::build_masks(context, network->jobs, *results);
  for (std::size_t i = 0; i < results->size(); ++i) check_iter_nonstruct(network->jobs[i], (*results)[i]);

  const auto tensor = weights("normal", DType::float32, network->size());
  const auto mask = std::make_shared<const Bits>(tensor->size);
  const RebuildJob one = workload.job(*tensor, *mask);
  check_iter_nonstruct(one, once(prunecell::build_masks, context, one));
  return {.work = [=] { prunecell::build_masks(context, network->jobs, *results); },
          .yardstick = [=, held = std::pair(tensor, mask)] { once(prunecell::build_masks, context, one); }};
}

}  // namespace

void add_network_rows(const Options& options) {
  for (const float delta : {1e-3f, 1e-5f})
    for (const int threads : options.threads) {
      Workload workload = {.group = "network", .data = "resnet50", .size = 0, .delta = delta, .threads = threads};
      for (const Layer& layer : resnet50()) workload.size += options.size(layer.size());
      add_race(options, workload.name(), workload.fields(), workload.size, [=] { return together(options, workload); });
    }
}

}  // namespace benchmarks
