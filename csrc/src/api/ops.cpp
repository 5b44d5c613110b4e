// Every argument is checked here, once, before a back end is called.
#include <prunecell/level_search.hpp>
#include <prunecell/ops.hpp>

#include "api/backend.hpp"
#include "api/bits.hpp"
#include "api/check.hpp"
#include "api/pending_results_access.hpp"
#include "cuda/loader/cuda_plugin.hpp"
#include "semantics/semantics.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace prunecell {
namespace {

bool on_cuda(const Context& context) { return context.device.kind == Device::Kind::cuda; }

}  // namespace

void check_context(const Context& context) {
  if (on_cuda(context)) cuda::plugin();  // says why there is none, before anything else
  check_not_negative("context.threads", context.threads);
}

void check_view(const Part& what, const TensorView& view, const Context& context) {
  if (view.device != context.device)
    throw InvalidArgument(std::string(what) + ": lies on another device than the one of the context");
  check_not_negative(what + ".size", view.size);
  if (view.size > 0 && !view.data) refuse(what + ".data", "memory", "a null pointer");
  const auto [channels, positions] = view.layout;
  if (channels < 1 || positions < 1 || channels > INT64_MAX / positions ||
      (!view.layout.row_major() && view.size % (channels * positions) != 0))
    refuse(what + ".layout", "positive channels and positions whose product divides size " + to_text(view.size),
           to_text(channels) + " and " + to_text(positions));
}

namespace {

/// Two views of one call share all of their memory, item by item, or none.
void check_apart(const Part& what, const TensorView& view, const TensorView& other, const char* other_name) {
  const auto begin = [](const TensorView& v) { return reinterpret_cast<std::uintptr_t>(v.data); };
  const auto end = [&](const TensorView& v) { return begin(v) + std::size_t(v.size) * item_size(v.dtype); };
  if (begin(view) >= end(other) || begin(other) >= end(view)) return;
  const bool same =
      view.data == other.data && view.size == other.size && view.dtype == other.dtype && view.layout == other.layout;
  if (!same) refuse(what, std::string("other memory than ") + other_name, "some that overlaps it");
}

void check_companion(const Part& what, const TensorView& view, const TensorView& weights, const Context& context) {
  if (!view.data) return;
  check_view(what, view, context);
  const auto text = [](const TensorView& v) { return to_text(v.size) + " elements of " + name(v.dtype); };
  if (view.size != weights.size || view.dtype != weights.dtype) refuse(what, text(weights), text(view));
}

void check_mask(const Part& what, const MaskView& mask, std::int64_t size, const Context& context) {
  if (mask.device != context.device)
    throw InvalidArgument(what + ": lies on another device than the one of the context");
  if (mask.size != size) refuse(what + ".size", to_text(size), to_text(mask.size));
  if (size > 0 && !mask.words) refuse(what + ".words", "memory", "a null pointer");
}

void check_results(std::span<const Job> jobs, std::span<const Result> results) {
  if (!results.empty() && results.size() != jobs.size())
    refuse("results", to_text(jobs.size()) + " entries, one per job, or none", to_text(results.size()));
}

enum class Reads : std::uint8_t { weights, mask, rule };

void check(const Context& context, std::span<const Job> jobs, std::span<Result> results, Reads reads) {
  check_context(context);
  check_results(jobs, results);
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    const Job& job = jobs[j];
    const auto part = [&](const char* name) { return Part{job.name, j, name}; };
    check_view(part("weights"), job.weights, context);
    if (reads == Reads::weights) continue;
    check_mask(part("mask"), job.mask, job.weights.size, context);
    check_companion(part("out"), job.out, job.weights, context);
    check_companion(part("otherwise"), job.otherwise, job.weights, context);
    if (job.out.data) {
      check_apart(part("out"), job.out, job.weights, "the weights");
      if (job.otherwise.data) check_apart(part("out"), job.out, job.otherwise, "otherwise");
    }
    if (reads == Reads::mask) continue;
    if (job.old.words) check_mask(part("old mask"), job.old, job.weights.size, context);
    if (job.fallback.words) check_mask(part("fallback"), job.fallback, job.weights.size, context);
    const bool read_before = job.mask.words == job.old.words || job.mask.words == job.fallback.words;
    if (job.mask_is_new && job.mask.words && read_before)
      refuse(part("mask_is_new"), "false, or another mask than the old one and the fallback", "true");
    check_share(part("threshold"), job.rule.threshold);
    check_delta(part("delta"), job.rule.delta);
  }
  std::ranges::fill(results, Result{});
}

struct Packing {
  const TensorView& dense;
  const TensorView& values;
};

template <class Roles>
void check_packing(const Context& context, std::span<const Job> jobs, std::span<Result> results, Roles&& roles) {
  check_context(context);
  check_results(jobs, results);
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    const Packing packing = roles(jobs[j]);
    const auto part = [&](const char* name) { return Part{jobs[j].name, j, name}; };
    check_view(part("dense"), packing.dense, context);
    check_view(part("values"), packing.values, context);
    check_apart(part("values"), packing.values, packing.dense, "the dense weights");
    const MaskView& mask = jobs[j].mask;
    check_mask(part("mask"), mask, packing.dense.size, context);
    if (packing.values.dtype != packing.dense.dtype)
      refuse(part("values"), name(packing.dense.dtype), name(packing.values.dtype));
    if (!packing.values.layout.row_major()) refuse(part("values"), "elements one after the other", "another layout");
    if (on_cuda(context)) continue;  // counted there, see the back end
    const std::int64_t kept = count_ones(mask.words, word_count(mask.size));
    if (packing.values.size != kept) refuse_values(part("values"), kept, packing.values.size);
  }
  std::ranges::fill(results, Result{});
}

using Operation = void(const Context&, std::span<const Job>, std::span<Result>);

/// One operation on each kind of device.
struct Roads {
  Operation* cpu;
  Operation* cuda;
};

void run(const Roads& roads, const Context& context, std::span<const Job> jobs, std::span<Result> results) {
  if (on_cuda(context)) return roads.cuda(context, jobs, results);
  std::vector<Result> own;  // where the caller has no room for results
  if (context.ticket || results.empty()) {
    own.resize(jobs.size());
    results = own;
  }
  roads.cpu(context, jobs, results);
  if (context.ticket) TicketAccess::fill(*context.ticket, results);
}

template <Apply apply>
void cpu_rebuild(const Context& context, std::span<const Job> jobs, std::span<Result> results) {
  cpu::rebuild(context, jobs, results, apply);
}

template <Apply apply>
void cuda_rebuild(const Context& context, std::span<const Job> jobs, std::span<Result> results) {
  cuda::rebuild(context, jobs, results, apply);
}

}  // namespace

void build_masks(const Context& context, std::span<const Job> jobs, std::span<Result> results) {
  check(context, jobs, results, Reads::rule);
  run({cpu_rebuild<Apply::no>, cuda_rebuild<Apply::no>}, context, jobs, results);
}

void rebuild_and_apply(const Context& context, std::span<const Job> jobs, std::span<Result> results) {
  check(context, jobs, results, Reads::rule);
  run({cpu_rebuild<Apply::yes>, cuda_rebuild<Apply::yes>}, context, jobs, results);
}

void apply_masks(const Context& context, std::span<const Job> jobs, std::span<Result> results) {
  check(context, jobs, results, Reads::mask);
  run({cpu::apply_masks, cuda::apply_masks}, context, jobs, results);
}

void count_zeros(const Context& context, std::span<const Job> jobs, std::span<Result> results) {
  check(context, jobs, results, Reads::weights);
  run({cpu::count_zeros, cuda::count_zeros}, context, jobs, results);
}

void pack_weights(const Context& context, std::span<const Job> jobs, std::span<Result> results) {
  check_packing(context, jobs, results, [](const Job& job) { return Packing{job.weights, job.out}; });
  run({cpu::pack_weights, cuda::pack_weights}, context, jobs, results);
}

void unpack_weights(const Context& context, std::span<const Job> jobs, std::span<Result> results) {
  check_packing(context, jobs, results, [](const Job& job) { return Packing{job.out, job.weights}; });
  run({cpu::unpack_weights, cuda::unpack_weights}, context, jobs, results);
}

float to_float32(double x) { return semantics::f32(x); }

std::int64_t need(std::int64_t size, float threshold) {
  check_not_negative("size", size);
  check_share("threshold", threshold);
  return semantics::need(size, threshold);
}

std::uint64_t derive_seed(std::uint64_t seed, std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  std::uint64_t mixed = seed ^ hash;  // SplitMix64 finalizer
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
  return mixed ^ mixed >> 31;
}

void count_levels(const Context& context, std::span<const LevelJob> jobs) {
  check_context(context);
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    const LevelJob& job = jobs[j];
    const auto part = [&](const char* name) { return Part{{}, j, name}; };
    if (!job.search) refuse(part("search"), "a LevelSearch", "a null pointer");
    if (job.search->done())
      throw WrongState(tensor_name({}, j) + ": the search is done, there is nothing left to count");
    if (!job.counters) refuse(part("counters"), "memory", "a null pointer");
    check_view(part("weights"), job.weights, context);
    if (job.old.words) check_mask(part("old mask"), job.old, job.weights.size, context);
  }
  on_cuda(context) ? cuda::count_levels(context, jobs) : cpu::count_levels(context, jobs);
}

}  // namespace prunecell
