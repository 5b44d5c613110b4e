// The operations. Each one takes a context and a list of jobs and fills one result per job, or none where the list of
// results is empty; one tensor is a list of one. Every argument of every job is checked, and every level decided,
// before any byte is written: a call that throws has changed nothing, but the bits of masks that are told to be new.
// No memory that a call writes is listed twice in it; `out` may be the job's own weights or `otherwise`, item by item.
// What a mask is, to the bit: docs/semantics.md.
//
// Results are equal bit for bit for any thread count and device. Work memory on the CPU: a few hundred KiB per thread;
// of a rebuild 3 MiB, or size / 40 bytes where that is more; size / 8 bytes for each mask in force that is rebuilt, and
// for each mask of a tensor that is not row-major.
//
// On a CUDA device an operation runs in the order of the context's stream. A call that wants results waits for it; one
// that wants none, or whose context has a ticket, does not, and can be captured into a graph. There a threshold that is
// out of reach, or values that do not fit their mask, make the whole call write nothing; who waits gets the error.
#pragma once

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

class Ticket;  // ticket.hpp

/// Where and how an operation runs.
struct Context {
  Device device = {};
  int threads = 0;                       ///< CPU: at most this many; 0: as many as OpenMP would use
  void* stream = nullptr;                ///< CUDA: a cudaStream_t of the device; null: the default stream
  const Allocator* allocator = nullptr;  ///< CUDA: null: the memory pool of the device
  Ticket* ticket = nullptr;              ///< takes the results instead of the `results` of the call
};

/// Which weights go.
enum class Filler : std::uint8_t {
  none,           ///< nothing: the mask stays as it is
  random,         ///< need(n, threshold) weights, by the counter-based numbers of `seed`
  iter_nonstruct  ///< all |w| <= k * delta for the smallest k that prunes need(n, threshold) weights
};

/// What becomes of a tensor all of whose weights would go though less is asked: they tie, or lie below one step of
/// delta.
enum class Ties : std::uint8_t {
  prune,  ///< all go: the tensor is dead
  keep    ///< its mask is Job::fallback
};

struct Rule {
  Filler filler = Filler::random;
  float threshold = 0.2f;    ///< share of weights to prune, 0 <= threshold <= 1
  float delta = 0.001f;      ///< grid step of IterNonStruct, > 0 and finite
  std::uint64_t seed = 0;    ///< Random: see derive_seed() for several cells of one model
  std::uint32_t tensor = 0;  ///< Random: number of the tensor in its cell
  std::uint32_t rise = 0;    ///< Random: number of the rise
  Ties ties = Ties::prune;   ///< IterNonStruct

  /// Whether the rule may leave a tensor its fallback.
  bool may_fall_back() const { return ties == Ties::keep && filler == Filler::iter_nonstruct && threshold < 1; }
};

struct Job {
  TensorView weights;         ///< read; written where an operation applies the mask in place
  TensorView out = {};        ///< apply: destination with the weights' dtype, size and layout; no data: in place
  TensorView otherwise = {};  ///< apply: values of pruned weights, alike; no data: +0
  MaskView mask = {};         ///< written by a rebuild, read by apply
  MaskView old = {};          ///< rebuild: mask in force until now; may be `mask` itself; no words: all kept
  MaskView fallback = {};     ///< rebuild with Ties::keep: may be `mask` itself; no words: all kept
  bool mask_is_new = false;   ///< rebuild: nobody looks at `mask` if the call throws; saves a copy of size / 8 bytes
  Rule rule = {};
  std::string_view name = {};  ///< names the tensor in errors; empty: its number in the call
};

struct Result {
  std::int64_t need = 0;   ///< pruned weights that the threshold asks for
  std::int64_t zeros = 0;  ///< pruned weights of the mask
  std::int64_t level = 0;  ///< IterNonStruct: k
  float limit = 0;         ///< IterNonStruct: f32(delta * f32(k)), the largest magnitude pruned
  bool tied = false;       ///< Ties::keep: all weights would have gone, so the mask is the fallback, at no level
  bool changed = false;    ///< apply in place: some weight was not masked yet
};

/// Rebuilds the masks by their rules. Where `old` is given, IterNonStruct reads a pruned weight as 0 and
/// Random keeps it pruned, so that the new mask only adds zeros. A mask that is new is not its own old one or fallback.
/// Throws InvalidArgument, UnreachableThreshold (naming tensor, need and what is out of reach),
/// DeviceUnavailable.
void build_masks(const Context& context, std::span<const Job> jobs, std::span<Result> results);

/// destination[i] = mask bit i ? weights[i] : +0 (or otherwise[i]). A select, not a product: NaN, Inf and
/// -0 become +0, kept weights keep their bits. Reads of masked weights that are +0 already cost no write.
void apply_masks(const Context& context, std::span<const Job> jobs, std::span<Result> results);

/// build_masks, then apply_masks, in one pass where both read the weights.
void rebuild_and_apply(const Context& context, std::span<const Job> jobs, std::span<Result> results);

/// Result::zeros = number of weights that are +0 or -0. Masks are not read.
void count_zeros(const Context& context, std::span<const Job> jobs, std::span<Result> results);

/// out = the kept weights, one after the other in logical order. `out` holds size - zeros elements.
/// Result::zeros is the mask's.
void pack_weights(const Context& context, std::span<const Job> jobs, std::span<Result> results);

/// The reverse: `weights` holds the kept values, `out` (of the mask's size, not the same memory) becomes dense,
/// +0 where pruned.
void unpack_weights(const Context& context, std::span<const Job> jobs, std::span<Result> results);

/// x rounded to float32, denormals kept whatever the flush-to-zero state of the thread: how parameters are rounded.
float to_float32(double x);

/// need(n, t) of docs/semantics.md: the smallest number of pruned weights whose share of `size` reaches
/// `threshold`. Throws InvalidArgument for a negative size or a threshold outside [0, 1].
std::int64_t need(std::int64_t size, float threshold);

/// Seed of a cell of a model: a hash of the model's seed and the cell's name, so that equal layers get
/// different random masks (FNV-1a over the name, mixed with the seed by the SplitMix64 finalizer).
std::uint64_t derive_seed(std::uint64_t seed, std::string_view name);

}  // namespace prunecell
