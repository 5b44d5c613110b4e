// The operations. Each one takes a context and a list of jobs and fills one result per job, or none where the list of
// results is empty; one tensor is a list of one. Every argument of every job is checked, and every level decided,
// before any byte is written: a call that throws has changed nothing, but the bits of masks that are told to be new.
// Outputs of one call must not overlap; `out` may be the job's own weights or `otherwise`, item by item.
// What a mask is, to the bit: docs/semantics.md.
//
// Results are equal bit for bit for any thread count and device. Work memory on the CPU: a few hundred KiB per thread;
// of a rebuild 3 MiB, or size / 40 bytes where that is more; size / 8 bytes for each mask in force that is rebuilt, and
// for each mask of a tensor that is not row-major.
//
// On a CUDA device an operation runs in the order of the context's stream. A call that wants results waits for it; one
// that wants none, or whose context has pending results, does not, and can be captured into a graph. There a threshold
// that is out of reach, or values that do not fit their mask, make the whole call write nothing; the caller that waits
// gets the error.
#pragma once

#include <prunecell/rule.hpp>
#include <prunecell/types.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace prunecell {

/// Work memory on a CUDA device, for a framework that pools it: 256-byte aligned, used in the order of the stream until
/// `release`, which must not throw. `allocate` returns null where there is none.
struct Allocator {
  void* (*allocate)(void* state, std::size_t bytes, void* stream);
  void (*release)(void* state, void* memory, void* stream);
  void* state = nullptr;
};

class PendingResults;  // pending_results.hpp

/// Where and how an operation runs.
struct Context {
  Device device = {};
  int threads = 0;                       ///< CPU: at most this many; 0: as many as OpenMP would use
  void* stream = nullptr;                ///< CUDA: a cudaStream_t of the device; null: the default stream
  const Allocator* allocator = nullptr;  ///< CUDA: null: the memory pool of the device
  PendingResults* pending = nullptr;     ///< takes the results instead of the `results` of the call
};

/// A mask to be built, of one tensor.
struct RebuildJob {
  TensorView weights;        ///< read; written where the mask is applied in place
  TensorView pruned = {};    ///< where the mask is applied: gets the pruned weights, alike; no data: in place
  MaskView mask = {};        ///< written
  MaskView old = {};         ///< mask in force until now; may be `mask` itself; no words: all kept
  MaskView fallback = {};    ///< Ties::keep: may be `mask` itself; no words: all kept
  bool mask_is_new = false;  ///< nobody looks at `mask` if the call throws; saves a copy of size / 8 bytes
  Rule rule = Random{};
  std::string_view name = {};  ///< names the tensor in errors; empty: its number in the call
};

/// A mask to be applied.
struct ApplyJob {
  TensorView weights;         ///< read; written where there is no `out`
  TensorView out = {};        ///< destination with the weights' dtype, size and layout; no data: in place
  TensorView otherwise = {};  ///< values of pruned weights, alike; no data: +0
  MaskView mask = {};
  std::string_view name = {};
};

/// Weights and their packed form: the kept ones, one after the other in logical order.
struct PackJob {
  TensorView dense;   ///< of the mask's size
  TensorView values;  ///< size - zeros elements, row-major; other memory than `dense`
  MaskView mask = {};
  std::string_view name = {};
};

/// Where a selection ends: weights with smaller keys than `key` go, and of those with this key the ones before index
/// `tie_end`. The key of IterNonStruct is the bit pattern of the limit as float32, that of Random a number drawn.
struct Limit {
  std::uint32_t key = 0;
  std::int64_t tie_end = INT64_MAX;

  friend bool operator==(const Limit&, const Limit&) = default;
};

struct Result {
  std::int64_t need = 0;   ///< pruned weights that the threshold asks for
  std::int64_t zeros = 0;  ///< pruned weights of the mask
  std::int64_t level = 0;  ///< IterNonStruct: k
  float limit = 0;         ///< IterNonStruct: f32(delta * f32(k)), the largest magnitude pruned
  Limit ends_at = {};      ///< of a rebuild: what masks_at() builds the same mask from
  bool tied = false;       ///< Ties::keep: all weights would have gone, so the mask is the fallback, at no level
  bool changed = false;    ///< apply in place: some weight was not masked yet
};

/// Builds the masks by their rules. Where `old` is given, IterNonStruct reads a pruned weight as 0 and
/// Random keeps it pruned, so that the new mask only adds zeros. A mask that is new is not its own old one or fallback.
/// Throws InvalidArgument, UnreachableThreshold (naming tensor, need and what is out of reach),
/// DeviceUnavailable.
void build_masks(const Context& context, std::span<const RebuildJob> jobs, std::span<Result> results);

/// build_masks, then each mask applied, in one pass where both read the weights.
void rebuild_and_apply(const Context& context, std::span<const RebuildJob> jobs, std::span<Result> results);

/// Builds the masks that follow from limits, one per job, however these were found: for weights that are split over
/// threads, ranks or devices, or one limit over several tensors. Each job's rule says what its weights are ranked by;
/// its share and `fallback` are not read. With `apply` each mask is applied, too. Fills Result::zeros and changed.
/// Throws InvalidArgument (a limit of IterNonStruct beyond Inf), DeviceUnavailable.
void masks_at(const Context& context, std::span<const RebuildJob> jobs, std::span<const Limit> limits,
              std::span<Result> results, bool apply = false);

/// destination[i] = mask bit i ? weights[i] : +0 (or otherwise[i]). A select, not a product: NaN, Inf and
/// -0 become +0, kept weights keep their bits. Reads of masked weights that are +0 already cost no write.
void apply_masks(const Context& context, std::span<const ApplyJob> jobs, std::span<Result> results);

/// Result::zeros = number of weights that are +0 or -0.
void count_zeros(const Context& context, std::span<const TensorView> weights, std::span<Result> results);

/// values = the kept weights of dense. Result::zeros is the mask's.
void pack_weights(const Context& context, std::span<const PackJob> jobs, std::span<Result> results);

/// The reverse: dense = the values where the mask keeps, +0 where it prunes.
void unpack_weights(const Context& context, std::span<const PackJob> jobs, std::span<Result> results);

/// x rounded to float32, denormals kept whatever the flush-to-zero state of the thread: how parameters are rounded.
float to_float32(double x);

/// need(n, t) of docs/semantics.md: the smallest number of pruned weights whose share of `size` reaches
/// `threshold`. Throws InvalidArgument for a negative size or a threshold outside [0, 1].
std::int64_t need(std::int64_t size, float threshold);

/// Seed of a cell of a model: a hash of the model's seed and the cell's name, so that equal layers get
/// different random masks (FNV-1a over the name, mixed with the seed by the SplitMix64 finalizer).
std::uint64_t derive_seed(std::uint64_t seed, std::string_view name);

}  // namespace prunecell
