#include "check.hpp"
#include "number.hpp"

#include <cstring>
#include <stdexcept>
#include <string>

namespace benchmarks {
namespace {

void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(std::string("wrong result: ") + what);
}

bool kept(MaskView mask, std::int64_t i) { return !mask.words || (mask.words[i / 32] >> (i % 32) & 1u); }

/// Where the weight of a row-major index lies.
std::int64_t place(const TensorView& view, std::int64_t i) {
  const auto [channels, positions] = view.layout;
  const std::int64_t image = i / (channels * positions), inside = i % (channels * positions);
  return image * channels * positions + inside % positions * channels + inside / positions;
}

double limit_of(float delta, std::int64_t k) {
  if (k < 0) return -1;
  const float step = float(k);
  return double(delta * step);
}

std::int64_t need_of(std::int64_t n, float t) {
  std::int64_t low = 0, high = n;
  while (low < high) {
    const std::int64_t c = low + (high - low) / 2;
    const bool enough = n < (1 << 24) ? float(c) / float(n) >= t : double(c) / double(n) >= double(t);
    (enough ? high : low) = enough ? c : c + 1;
  }
  return low;
}

void check_tail(MaskView mask) {
  require(mask.size % 32 == 0 || mask.words[mask.size / 32] >> (mask.size % 32) == 0, "bits behind the last weight");
}

struct Counts {
  std::int64_t reached = 0, below = 0, wrong = 0;
};

/// Weights up to the level, up to the level before, and mask bits that are not those of the level.
template <class T>
Counts count(const RebuildJob& job, double limit, double before, MaskView old) {
  const auto* items = static_cast<const T*>(job.weights.data);
  const bool straight = job.weights.layout.row_major();
  std::int64_t reached = 0, below = 0, wrong = 0;
#pragma omp parallel for schedule(static) reduction(+ : reached, below, wrong)
  for (std::int64_t i = 0; i < job.weights.size; ++i) {
    const double stored = double(items[straight ? i : place(job.weights, i)]);
    const double magnitude = kept(old, i) ? std::fabs(stored) : 0;
    reached += magnitude <= limit;
    below += magnitude <= before;
    wrong += kept(job.mask, i) == (magnitude <= limit);
  }
  return {reached, below, wrong};
}

/// The first word of Philox4x32-10 and its three neighbours, as published.
void philox(std::uint32_t (&c)[4], std::uint32_t k0, std::uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = 0xD2511F53ull * c[0], b = 0xCD9E8D57ull * c[2];
    const std::uint32_t next[4] = {std::uint32_t(b >> 32) ^ c[1] ^ k0, std::uint32_t(b),
                                   std::uint32_t(a >> 32) ^ c[3] ^ k1, std::uint32_t(a)};
    std::memcpy(c, next, sizeof(next));
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

std::uint32_t random_number(const prunecell::Random& rule, std::int64_t i) {
  const auto block = std::uint64_t(i) / 4;
  std::uint32_t counter[4] = {std::uint32_t(block), std::uint32_t(block >> 32), rule.tensor, rule.rise};
  philox(counter, std::uint32_t(rule.seed), std::uint32_t(rule.seed >> 32));
  return counter[i % 4];
}

}  // namespace

void check_iter_nonstruct(const RebuildJob& job, const Result& result, MaskView old) {
  const auto& [threshold, delta, ties] = std::get<prunecell::IterNonStruct>(job.rule);
  const std::int64_t need = need_of(job.weights.size, threshold);
  const double limit = limit_of(delta, result.level);
  const double before = result.level > 1 ? limit_of(delta, result.level - 1) : -1;
  const Counts counts = with_type(job.weights.dtype, [&]<class T>(T) { return count<T>(job, limit, before, old); });
  require(result.need == need, "need");
  require(double(result.limit) == limit, "limit of the level");
  require(counts.reached >= need, "the level prunes too few weights");
  require(counts.below < need, "a smaller level prunes enough weights");
  require(counts.wrong == 0, "mask bits");
  require(result.zeros == counts.reached, "number of zeros");
  check_tail(job.mask);
}

void check_random(const RebuildJob& job, const Result& result, MaskView old) {
  const auto& rule = std::get<prunecell::Random>(job.rule);
  const std::int64_t need = need_of(job.weights.size, rule.threshold);
  std::int64_t zeros = 0, revived = 0, zeros_before = 0;
  // The pruned ones are the smallest: the largest of them lies below the smallest of the kept ones.
  std::uint64_t largest_pruned = 0, smallest_kept = UINT64_MAX;
#pragma omp parallel for schedule(static) reduction(+ : zeros, revived, zeros_before) \
    reduction(max : largest_pruned) reduction(min : smallest_kept)
  for (std::int64_t i = 0; i < job.weights.size; ++i) {
    const bool keeps = kept(job.mask, i), kept_before = kept(old, i);
    zeros += !keeps;
    zeros_before += !kept_before;
    revived += keeps && !kept_before;
    if (!kept_before) continue;
    // Sizes checked here stay below 2^32, so that number and index fit one word.
    const std::uint64_t order = std::uint64_t(random_number(rule, i)) << 32 | std::uint64_t(i);
    if (keeps)
      smallest_kept = std::min(smallest_kept, order);
    else
      largest_pruned = std::max(largest_pruned, order);
  }
  require(zeros == std::max(need, zeros_before) && result.zeros == zeros, "number of zeros");
  require(revived == 0, "a pruned weight came back");
  require(largest_pruned < smallest_kept, "others than the smallest numbers were pruned");
  check_tail(job.mask);
}

void check_applied(const TensorView& before, const TensorView& after, MaskView mask) {
  const auto width = std::int64_t(item_size(before.dtype));
  const auto *from = static_cast<const std::byte*>(before.data), *to = static_cast<const std::byte*>(after.data);
  std::int64_t wrong = 0;
#pragma omp parallel for schedule(static) reduction(+ : wrong)
  for (std::int64_t i = 0; i < before.size; ++i) {
    const std::int64_t at = place(before, i) * width;
    const std::uint64_t zero = 0;
    const void* expected = kept(mask, i) ? static_cast<const void*>(from + at) : &zero;
    wrong += std::memcmp(expected, to + at, std::size_t(width)) != 0;
  }
  require(wrong == 0, "applied weights");
}

void check_packed(const TensorView& weights, MaskView mask, const TensorView& packed) {
  const auto width = std::int64_t(item_size(weights.dtype));
  const auto *from = static_cast<const std::byte*>(weights.data), *to = static_cast<const std::byte*>(packed.data);
  std::int64_t next = 0;
  for (std::int64_t i = 0; i < weights.size; ++i) {
    if (!kept(mask, i)) continue;
    require(next < packed.size && std::memcmp(from + i * width, to + next * width, std::size_t(width)) == 0,
            "packed weights");
    ++next;
  }
  require(next == packed.size, "number of packed weights");
}

void check_words(MaskView mask, const std::uint32_t* words) {
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < mask.size; ++i) wrong += kept(mask, i) != (words[i] != 0);
  require(wrong == 0, "the reference's mask differs");
}

}  // namespace benchmarks
