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
#include <type_traits>
#include <variant>
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

void check_results(std::size_t jobs, std::span<const Result> results) {
  if (!results.empty() && results.size() != jobs)
    refuse("results", to_text(jobs) + " entries, one per job, or none", to_text(results.size()));
}

void check_rule(const Rule& rule, auto&& part) {
  std::visit(
      [&](const auto& one) {
        if constexpr (requires { one.threshold; }) check_share(part("threshold"), one.threshold);
        if constexpr (requires { one.delta; }) check_delta(part("delta"), one.delta);
      },
      rule);
}

void check_rebuild(const Context& context, std::span<const RebuildJob> jobs, std::span<const Result> results) {
  check_context(context);
  check_results(jobs.size(), results);
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    const RebuildJob& job = jobs[j];
    const auto part = [&](const char* name) { return Part{job.name, j, name}; };
    check_view(part("weights"), job.weights, context);
    check_mask(part("mask"), job.mask, job.weights.size, context);
    check_companion(part("pruned"), job.pruned, job.weights, context);
    if (job.pruned.data) check_apart(part("pruned"), job.pruned, job.weights, "the weights");
    if (job.old.words) check_mask(part("old mask"), job.old, job.weights.size, context);
    if (job.fallback.words) check_mask(part("fallback"), job.fallback, job.weights.size, context);
    const bool read_before = job.mask.words == job.old.words || job.mask.words == job.fallback.words;
    if (job.mask_is_new && job.mask.words && read_before)
      refuse(part("mask_is_new"), "false, or another mask than the old one and the fallback", "true");
    check_rule(job.rule, part);
  }
}

void check_limits(std::span<const RebuildJob> jobs, std::span<const Limit> limits) {
  if (limits.size() != jobs.size())
    refuse("limits", to_text(jobs.size()) + " entries, one per job", to_text(limits.size()));
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    const auto part = [&](const char* name) { return Part{jobs[j].name, j, name}; };
    if (std::holds_alternative<IterNonStruct>(jobs[j].rule) && limits[j].key > semantics::inf_key)
      refuse(part("limit.key"), "the bits of a float32 up to Inf", to_text(limits[j].key));
    check_not_negative(part("limit.tie_end"), limits[j].tie_end);
  }
}

void check_apply(const Context& context, std::span<const ApplyJob> jobs, std::span<const Result> results) {
  check_context(context);
  check_results(jobs.size(), results);
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    const ApplyJob& job = jobs[j];
    const auto part = [&](const char* name) { return Part{job.name, j, name}; };
    check_view(part("weights"), job.weights, context);
    check_mask(part("mask"), job.mask, job.weights.size, context);
    check_companion(part("out"), job.out, job.weights, context);
    check_companion(part("otherwise"), job.otherwise, job.weights, context);
    if (!job.out.data) continue;
    check_apart(part("out"), job.out, job.weights, "the weights");
    if (job.otherwise.data) check_apart(part("out"), job.out, job.otherwise, "otherwise");
  }
}

void check_packing(const Context& context, std::span<const PackJob> jobs, std::span<const Result> results) {
  check_context(context);
  check_results(jobs.size(), results);
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    const auto& [dense, values, mask, name_of] = jobs[j];
    const auto part = [&](const char* name) { return Part{jobs[j].name, j, name}; };
    check_view(part("dense"), dense, context);
    check_view(part("values"), values, context);
    check_apart(part("values"), values, dense, "the dense weights");
    check_mask(part("mask"), mask, dense.size, context);
    if (values.dtype != dense.dtype) refuse(part("values"), name(dense.dtype), name(values.dtype));
    if (!values.layout.row_major()) refuse(part("values"), "elements one after the other", "another layout");
    if (on_cuda(context)) continue;  // counted there, see the back end
    const std::int64_t kept = count_ones(mask.words, word_count(mask.size));
    if (values.size != kept) refuse_values(part("values"), kept, values.size);
  }
}

/// An operation of a back end.
template <class Job, class... More>
using Operation = void(const Context&, std::span<const Job>, std::span<Result>, More...);

/// Runs the operation of the context's device. What the CPU's fills goes to where the caller wants it.
template <class Job, class... More>
void run(Operation<Job, More...>* cpu, Operation<Job, More...>* cuda, const Context& context,
         std::type_identity_t<std::span<const Job>> jobs, std::span<Result> results,
         std::type_identity_t<More>... more) {
  std::ranges::fill(results, Result{});
  if (on_cuda(context)) return cuda(context, jobs, results, more...);
  std::vector<Result> own;  // where the caller has no list of results
  if (context.pending || results.empty()) {
    own.resize(jobs.size());
    results = own;
  }
  cpu(context, jobs, results, more...);
  if (context.pending) PendingResultsAccess::fill(*context.pending, results);
}

}  // namespace

void build_masks(const Context& context, std::span<const RebuildJob> jobs, std::span<Result> results) {
  check_rebuild(context, jobs, results);
  run(cpu::build_masks, cuda::build_masks, context, jobs, results, Apply::no);
}

void rebuild_and_apply(const Context& context, std::span<const RebuildJob> jobs, std::span<Result> results) {
  check_rebuild(context, jobs, results);
  run(cpu::build_masks, cuda::build_masks, context, jobs, results, Apply::yes);
}

void masks_at(const Context& context, std::span<const RebuildJob> jobs, std::span<const Limit> limits,
              std::span<Result> results, bool apply) {
  check_rebuild(context, jobs, results);
  check_limits(jobs, limits);
  run(cpu::masks_at, cuda::masks_at, context, jobs, results, limits, apply ? Apply::yes : Apply::no);
}

void apply_masks(const Context& context, std::span<const ApplyJob> jobs, std::span<Result> results) {
  check_apply(context, jobs, results);
  run(cpu::apply_masks, cuda::apply_masks, context, jobs, results);
}

void count_zeros(const Context& context, std::span<const TensorView> weights, std::span<Result> results) {
  check_context(context);
  check_results(weights.size(), results);
  for (std::size_t j = 0; j < weights.size(); ++j) check_view(Part{{}, j, "weights"}, weights[j], context);
  run(cpu::count_zeros, cuda::count_zeros, context, weights, results);
}

void pack_weights(const Context& context, std::span<const PackJob> jobs, std::span<Result> results) {
  check_packing(context, jobs, results);
  run(cpu::pack_weights, cuda::pack_weights, context, jobs, results);
}

void unpack_weights(const Context& context, std::span<const PackJob> jobs, std::span<Result> results) {
  check_packing(context, jobs, results);
  run(cpu::unpack_weights, cuda::unpack_weights, context, jobs, results);
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
