#include "reference.hpp"
#include "schedules.hpp"

#include <prunecell/error.hpp>
#include <prunecell/prune_cell.hpp>

#include <doctest/doctest.h>

#include <string>

namespace {

using namespace prunecell;
using reference::Weights;
using schedules::gradual;

/// A cell with the memory of its tensors.
struct Trained {
  std::vector<Weights> weights, gradients, pruned;
  PruneCell cell;

  Trained(const Parameters& parameters, const std::vector<Weights>& tensors) : weights(tensors), cell(parameters) {
    for (const Weights& tensor : tensors) {
      gradients.push_back(reference::ties(tensor.dtype(), tensor.size(), 77));
      pruned.emplace_back(tensor.dtype(), tensor.size());
      cell.add_tensor({tensor.size()});
    }
  }

  std::vector<CellTensor> tensors() {
    std::vector<CellTensor> out;
    for (std::size_t t = 0; t < weights.size(); ++t)
      out.push_back(
          {weights[t].view(), gradients[t].view(), cell.parameters().in_place ? TensorView{} : pruned[t].view()});
    return out;
  }
  void initialize(bool reset = false) { cell.initialize({}, tensors(), reset); }
  void propagate() { cell.propagate({}, tensors()); }
  void update(std::int64_t batch) { cell.update({}, tensors(), batch); }
  std::vector<bool> kept(std::size_t t = 0) const { return reference::bits_of(*cell.mask(t)); }
};

std::vector<Weights> two_tensors() {
  return {reference::ties(DType::float32, 5000, 1), reference::ties(DType::float16, 333, 2)};
}

void check_pruned(const Weights& found, const Weights& original, const std::vector<bool>& kept) {
  for (std::int64_t i = 0; i < found.size(); ++i)
    REQUIRE(found.bits(i) == (kept[std::size_t(i)] ? original.bits(i) : 0));
}

TEST_CASE("calls before initialize throw and name themselves") {
  Trained run(gradual(), two_tensors());
  const std::vector<CellTensor> tensors = run.tensors();
  CHECK_THROWS_WITH_AS(run.cell.propagate({}, tensors), "propagate: the cell is not initialized, call initialize first",
                       WrongState);
  CHECK_THROWS_AS(run.cell.back_propagate({}, tensors), WrongState);
  CHECK_THROWS_AS(run.cell.update({}, tensors, 1), WrongState);
  CHECK_THROWS_AS(run.cell.end_epoch({}, tensors), WrongState);
  CHECK_THROWS_AS(run.cell.set_mask(0, Mask({5000})), WrongState);
  CHECK(run.cell.mask(0) == nullptr);
  CHECK_FALSE(run.cell.initialized());
}

TEST_CASE("in place: weights, masks and figures follow the definition, masks only lose weights") {
  Trained run(gradual(), two_tensors());
  run.initialize();
  std::vector<Weights> before = two_tensors();
  for (std::size_t t = 0; t < 2; ++t) {
    const reference::Decision expected = reference::iter_nonstruct(before[t], 0.2f, 0.01f);
    CHECK(run.kept(t) == expected.kept);
    CHECK(run.cell.figures(t).level == expected.level);
    CHECK(run.cell.figures(t).zeros == expected.zeros());
    CHECK(run.cell.figures(t).asked == 0.2f);
    check_pruned(run.weights[t], before[t], expected.kept);
  }
  // An optimizer writes to all weights, pruned ones too.
  run.weights[0] = reference::ties(DType::float32, 5000, 9);
  const Weights written = run.weights[0];
  const Mask old = *run.cell.mask(0);
  run.update(64);
  const reference::Decision risen = reference::iter_nonstruct(written, 0.2f + 0.2f, 0.01f, &old);
  CHECK(run.kept() == risen.kept);
  for (std::int64_t i = 0; i < 5000; ++i)
    if (!old.kept(i)) REQUIRE_FALSE(run.cell.mask(0)->kept(i));
  check_pruned(run.weights[0], written, risen.kept);
}

TEST_CASE("out of place: weights stay, buffers are filled, pruned weights can come back") {
  Trained run(gradual(false), two_tensors());
  run.initialize();
  CHECK(run.weights[0].bytes() == two_tensors()[0].bytes());
  const std::vector<bool> first = run.kept();
  check_pruned(run.pruned[0], run.weights[0], first);
  run.weights[0] = reference::ties(DType::float32, 5000, 9);
  run.update(64);
  const reference::Decision risen = reference::iter_nonstruct(run.weights[0], 0.2f + 0.2f, 0.01f);
  CHECK(run.kept() == risen.kept);
  check_pruned(run.pruned[0], run.weights[0], risen.kept);
  bool came_back = false;
  for (std::size_t i = 0; i < 5000; ++i) came_back |= !first[i] && risen.kept[i];
  CHECK(came_back);
}

TEST_CASE("gradients are masked in their own type, and may be missing") {
  Trained run(gradual(), two_tensors());
  run.gradients[0] = reference::any_bits(DType::float64, 5000);
  const Weights before = run.gradients[0];
  run.initialize();
  std::vector<CellTensor> tensors = run.tensors();
  tensors[1].gradient = {};
  run.cell.back_propagate({}, tensors);
  check_pruned(run.gradients[0], before, run.kept());
}

TEST_CASE("identity builds no mask, prunes nothing, and copies out of place") {
  Trained run({.filler = Filler::iter_nonstruct, .in_place = false}, {reference::any_bits(DType::float32, 1000)});
  run.initialize();
  CHECK(run.cell.mask(0) == nullptr);
  CHECK(run.pruned[0].bytes() == run.weights[0].bytes());
  run.update(100);
  CHECK_THROWS_AS(run.cell.set_mask(0, Mask({1000})), WrongState);
  CHECK(run.cell.save().tensors[0].mask.empty());
}

TEST_CASE("a second initialize keeps masks and schedule, reset starts over") {
  Trained run(gradual(), two_tensors());
  run.initialize();
  run.update(100);
  const std::vector<bool> kept = run.kept();
  const std::uint32_t* words = run.cell.mask(0)->view().words;
  run.initialize();
  CHECK(run.kept() == kept);
  CHECK(run.cell.schedule().counter() == 36);
  run.weights = two_tensors();
  run.initialize(true);
  CHECK(run.cell.schedule().rises() == 0);
  CHECK(run.cell.schedule().counter() == 0);
  CHECK(run.kept() == reference::iter_nonstruct(two_tensors()[0], 0.2f, 0.01f).kept);
  CHECK(run.cell.mask(0)->view().words == words);  // a mask keeps its storage for the tensor's life
}

TEST_CASE("masks keep their address and bits while tensors are added") {
  Trained run(gradual(), two_tensors());
  run.initialize();
  const Mask* mask = run.cell.mask(0);
  const std::vector<bool> kept = run.kept();
  for (int i = 0; i < 100; ++i) run.cell.add_tensor({10});
  CHECK(run.cell.mask(0) == mask);
  CHECK(reference::bits_of(*mask) == kept);
}

TEST_CASE("an unreachable tensor leaves all cells of a call as they were") {
  Trained good(gradual(), two_tensors()), bad(gradual(), two_tensors());
  good.initialize();
  bad.initialize();
  for (std::int64_t i = 0; i < 333; ++i) bad.weights[1].set_bits(i, 0x7e00);  // NaN
  bad.propagate();
  const std::vector<bool> masks[] = {good.kept(0), good.kept(1), bad.kept(0), bad.kept(1)};
  const std::vector<std::byte> bytes[] = {good.weights[0].bytes(), bad.weights[0].bytes(), bad.weights[1].bytes()};
  const std::vector<CellTensor> tensors[] = {good.tensors(), bad.tensors()};
  const CellCall calls[] = {{&good.cell, tensors[0]}, {&bad.cell, tensors[1]}};
  CHECK_THROWS_AS(update({}, calls, 64), UnreachableThreshold);
  CHECK(masks[0] == good.kept(0));
  CHECK(masks[1] == good.kept(1));
  CHECK(masks[2] == bad.kept(0));
  CHECK(masks[3] == bad.kept(1));
  CHECK(bytes[0] == good.weights[0].bytes());
  CHECK(bytes[1] == bad.weights[0].bytes());
  CHECK(bytes[2] == bad.weights[1].bytes());
  for (const PruneCell* cell : {&good.cell, &bad.cell}) {
    CHECK(cell->schedule().counter() == 0);
    CHECK(cell->schedule().current() == 0.2f);
    CHECK(cell->figures(0).asked == 0.2f);
  }
  const CellCall twice[] = {calls[0], calls[0]};
  CHECK_THROWS_AS(update({}, twice, 64), InvalidArgument);
  update({}, {calls, 1}, 64);
  CHECK(good.cell.schedule().rises() == 1);
}

TEST_CASE("equal tensors of named cells get different random masks, the same ones each time") {
  const Parameters parameters{.mode = Mode::fixed, .filler = Filler::random, .threshold = 0.5};
  std::vector<std::vector<bool>> masks;
  for (const char* name : {"conv1", "conv2", "conv1"}) {
    Weights weights(DType::float32, 1000);
    PruneCell cell(parameters);
    cell.add_tensor({1000}, name);
    const CellTensor tensor{.weights = weights.view()};
    cell.initialize({}, {&tensor, 1});
    CHECK(cell.figures(0).zeros == 500);
    masks.push_back(reference::bits_of(*cell.mask(0)));
  }
  CHECK(masks[0] == masks[2]);
  CHECK(masks[0] != masks[1]);
}

TEST_CASE("a mask of the caller is used, and only grows in place") {
  Trained run(gradual(), two_tensors());
  run.initialize();
  run.weights[0] = reference::ties(DType::float32, 5000, 4);
  const Mask mine = reference::random_mask(5000);
  run.cell.set_mask(0, mine);
  CHECK(run.cell.figures(0).zeros == mine.zeros());
  const Weights written = run.weights[0];
  run.propagate();
  check_pruned(run.weights[0], written, reference::bits_of(mine));
  run.update(64);
  CHECK(run.kept() == reference::iter_nonstruct(written, 0.2f + 0.2f, 0.01f, &mine).kept);
  CHECK_THROWS_AS(run.cell.set_mask(0, Mask({4999})), InvalidArgument);
  CHECK_THROWS_AS(run.cell.set_mask(0, Mask({50, 100})), InvalidArgument);
  CHECK_THROWS_AS(run.cell.set_mask(2, mine), InvalidArgument);
}

TEST_CASE("training resumed from a state or a copy continues bit for bit") {
  for (const bool in_place : {true, false}) {
    Trained first(gradual(in_place), two_tensors());
    first.initialize();
    first.update(100);
    Trained second(gradual(in_place), two_tensors());
    second.weights = first.weights;
    second.cell.load(first.cell.save());
    CHECK(second.cell.initialized());
    Trained third = first;
    for (Trained* run : {&first, &second, &third}) {
      run->weights[0] = reference::ties(DType::float32, 5000, 5);
      run->propagate();
      run->update(30);
    }
    for (Trained* run : {&second, &third}) {
      CHECK(run->kept(0) == first.kept(0));
      CHECK(run->kept(1) == first.kept(1));
      CHECK(run->cell.schedule().rises() == 2);
      CHECK(run->cell.schedule().counter() == first.cell.schedule().counter());
      CHECK(run->weights[0].bytes() == first.weights[0].bytes());
    }
    third.cell.set_mask(0, Mask({5000}));
    CHECK(first.cell.mask(0)->zeros() == first.cell.figures(0).zeros);  // a copy has masks of its own
  }
}

TEST_CASE("an identity cell that takes over a pruned state has pruned nothing") {
  Trained pruned(gradual(), two_tensors());
  pruned.initialize();
  Trained identity({.mode = Mode::identity}, two_tensors());
  identity.cell.load(pruned.cell.save(), true);
  CHECK(identity.cell.figures(0).zeros == 0);
  CHECK(identity.cell.figures(0).asked == 0);
  CHECK(identity.cell.figures(0).size == 5000);
  CHECK_FALSE(identity.cell.mask(0));
}

TEST_CASE("a state that does not fit is refused and changes nothing") {
  Trained source(gradual(), two_tensors()), run(gradual(), two_tensors());
  source.initialize();
  source.update(64);
  run.initialize();
  const std::vector<bool> kept = run.kept();
  const CellState good = source.cell.save();
  const auto refused = [&](auto&& change) {
    CellState state = good;
    change(state);
    CHECK_THROWS_AS(run.cell.load(state), InvalidArgument);
    CHECK(run.kept() == kept);
    CHECK(run.cell.schedule().rises() == 0);
  };
  refused([](CellState& s) { s.format = 0; });
  refused([](CellState& s) { s.format = CellState::current_format + 1; });
  refused([](CellState& s) { s.parameters.gamma = 0.1; });
  refused([](CellState& s) { s.tensors.pop_back(); });
  refused([](CellState& s) { s.tensors[1].shape = {3, 111}; });
  refused([](CellState& s) { s.tensors[1].mask.pop_back(); });
  refused([](CellState& s) { s.tensors[1].mask.clear(); });
  refused([](CellState& s) { s.tensors[1].mask[3] ^= std::byte(1); });
  refused([](CellState& s) { s.tensors[1].figures.level = -1; });
  refused([](CellState& s) { s.tensors[1].figures.asked = 1.5f; });
  refused([](CellState& s) { s.current = NAN; });
  refused([](CellState& s) { s.counter = -5; });
  CellState earlier = good;
  earlier.format = 1;
  run.cell.load(earlier);
  CHECK(run.kept() == source.kept());

  Trained other({.mode = Mode::gradual, .filler = Filler::iter_nonstruct, .threshold = 0.9}, two_tensors());
  other.cell.load(good, true);
  CHECK(other.cell.parameters().threshold == 0.9);
  CHECK(other.cell.schedule().current() == source.cell.schedule().current());
  CHECK(other.kept() == source.kept());
}

TEST_CASE("memory that does not fit the tensors is refused") {
  Trained run(gradual(), two_tensors());
  run.initialize();
  std::vector<CellTensor> tensors = run.tensors();
  const auto refused = [&](auto&& change) {
    std::vector<CellTensor> wrong = tensors;
    change(wrong);
    CHECK_THROWS_AS(run.cell.propagate({}, wrong), InvalidArgument);
    CHECK_THROWS_AS(run.cell.update({}, wrong, 1), InvalidArgument);
    CHECK(run.cell.schedule().counter() == 0);
  };
  refused([](auto& w) { w.pop_back(); });
  refused([](auto& w) { w[0].weights.size = 10; });
  refused([](auto& w) { w[0].weights.data = nullptr; });
  refused([](auto& w) { w[1].weights.layout = {2, 5}; });
  std::vector<CellTensor> short_gradient = run.tensors();
  short_gradient[0].gradient.size = 10;
  CHECK_THROWS_AS(run.cell.back_propagate({}, short_gradient), InvalidArgument);
  Trained apart(gradual(false), two_tensors());
  std::vector<CellTensor> without = apart.tensors();
  without[0].pruned = {};
  CHECK_THROWS_AS(apart.cell.initialize({}, without), InvalidArgument);
  without[0].pruned = without[1].pruned;
  CHECK_THROWS_AS(apart.cell.initialize({}, without), InvalidArgument);
  CHECK_FALSE(apart.cell.initialized());
}

TEST_CASE("what is wrong with a cell that has nothing to rebuild keeps the others from rising") {
  Trained rising(gradual(), two_tensors()), counting(gradual(), two_tensors());
  rising.initialize();
  counting.initialize();
  rising.update(60);
  const std::vector<bool> kept = rising.kept();
  std::vector<CellTensor> good = rising.tensors(), bad = counting.tensors();
  const std::vector<CellCall> calls = {{&rising.cell, good}, {&counting.cell, bad}};
  const auto refused = [&](const Context& context) {
    CHECK_THROWS_AS(update(context, calls, 4), InvalidArgument);
    CHECK(rising.cell.schedule().rises() == 0);
    CHECK(rising.cell.schedule().counter() == 60);
    CHECK(counting.cell.schedule().counter() == 0);
    CHECK(rising.kept() == kept);
  };
  refused({.threads = -1});
  bad[1].weights.layout = {2, 5};
  refused({});
}

TEST_CASE("a dropped tensor takes no further part, the others keep their numbers") {
  Trained run(gradual(), two_tensors());
  run.initialize();
  run.cell.drop_tensor(0);
  std::vector<CellTensor> tensors = run.tensors();
  tensors[0] = {};
  run.cell.propagate({}, tensors);
  run.cell.back_propagate({}, tensors);
  run.cell.update({}, tensors, 64);
  CHECK(run.cell.initialized());
  CHECK(run.cell.schedule().rises() == 1);
  CHECK(run.cell.figures(1).asked == 0.2f + 0.2f);
  CHECK_THROWS_AS(run.cell.drop_tensor(2), InvalidArgument);
}

TEST_CASE("the number of a dropped tensor is given anew, and the new one starts like any") {
  Trained run(gradual(), two_tensors());
  run.initialize();
  run.cell.drop_tensor(0);
  CHECK(run.cell.add_tensor({3, 5}, "another") == 0);
  CHECK(run.cell.tensor_count() == 2);
  CHECK(run.cell.shape(0) == Shape{3, 5});
  CHECK(run.cell.tensor_name(0) == "another");
  CHECK(run.cell.mask(0)->shape() == Shape{3, 5});
  CHECK(run.cell.mask(0)->zeros() == 0);
  CHECK(!run.cell.initialized());
  CHECK(run.cell.add_tensor({4}) == 2);
}

TEST_CASE("back_propagate needs no weights") {
  Trained run(gradual(), two_tensors());
  run.initialize();
  std::vector<CellTensor> tensors = run.tensors();
  for (CellTensor& tensor : tensors) tensor.weights = {};
  const std::vector<Weights> before = run.gradients;
  run.cell.back_propagate({}, tensors);
  for (std::size_t t = 0; t < tensors.size(); ++t) check_pruned(run.gradients[t], before[t], run.kept(t));
}

TEST_CASE("an update without tensors counts samples, and throws where a rise is due") {
  Trained run(gradual(), two_tensors());
  run.initialize();
  CHECK_FALSE(run.cell.due(63));
  CHECK(run.cell.due(64));
  run.cell.update({}, {}, 63);
  CHECK(run.cell.schedule().counter() == 63);
  CHECK(run.cell.due(1));
  CHECK_THROWS_AS(run.cell.update({}, {}, 1), InvalidArgument);
  CHECK(run.cell.schedule().counter() == 63);
  run.update(1);
  CHECK(run.cell.schedule().rises() == 1);
}

TEST_CASE("enforcing counts itself, driving starts the count again") {
  Trained run(gradual(), two_tensors());
  run.initialize();
  for (int i = 0; i < 3; ++i) run.propagate();
  CHECK(run.cell.idle_enforcements() == 3);
  run.update(0);
  CHECK(run.cell.idle_enforcements() == 0);
  run.propagate();
  run.cell.end_epoch({}, run.tensors());
  CHECK(run.cell.idle_enforcements() == 0);
}

TEST_CASE("channels-last weights are pruned by their logical index") {
  constexpr Layout layout{3, 49};
  constexpr std::int64_t size = 3 * 49 * 8;
  Weights logical = reference::ties(DType::float32, size), memory(DType::float32, size);
  const auto offset = [](std::int64_t i) { return (i / 147 * 49 + i % 49) * 3 + i / 49 % 3; };
  for (std::int64_t i = 0; i < size; ++i) memory.set_bits(offset(i), logical.bits(i));
  PruneCell cell(gradual());
  cell.add_tensor({8, 3, 7, 7});
  const CellTensor tensor{.weights = memory.view(layout)};
  cell.initialize({}, {&tensor, 1});
  const reference::Decision expected = reference::iter_nonstruct(logical, 0.2f, 0.01f);
  CHECK(reference::bits_of(*cell.mask(0)) == expected.kept);
  for (std::int64_t i = 0; i < size; ++i)
    REQUIRE(memory.bits(offset(i)) == (expected.kept[std::size_t(i)] ? logical.bits(i) : 0));
}

}  // namespace
