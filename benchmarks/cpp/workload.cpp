#include "workload.hpp"

#include <sstream>

namespace benchmarks {

std::string Workload::name() const {
  std::ostringstream text;
  text << group << '/' << data << '/' << prunecell::name(dtype) << '/' << size << "/t" << threshold << "/delta" << delta
       << "/threads" << threads;
  return text.str();
}

Fields Workload::fields() const {
  return Fields()
      .add("group", group)
      .add("data", data)
      .add("dtype", prunecell::name(dtype))
      .add("size", size)
      .add("threshold", threshold)
      .add("delta", delta)
      .add("threads", std::int64_t(threads))
      .add("bytes", size * std::int64_t(item_size(dtype)));
}

RebuildJob Workload::job(const Tensor& tensor, const Bits& mask) const {
  prunecell::Rule rule = prunecell::IterNonStruct{.threshold = threshold, .delta = delta};
  if (filler == Filler::random) rule = prunecell::Random{.threshold = threshold};
  return {.weights = tensor.view(), .mask = mask.view(), .mask_is_new = mask_is_new, .rule = rule};
}

int floor_threads(std::int64_t bytes, int threads) { return bytes < power(22) ? 1 : threads; }

}  // namespace benchmarks
