#include "device_weights.hpp"
#include "schedules.hpp"

#include <prunecell/error.hpp>
#include <prunecell/prune_cell.hpp>

#include <simt/control.hpp>

#include <doctest/doctest.h>

#include <vector>

namespace {

using namespace prunecell;
using axis::DeviceWeights;
using axis::first_device;
using reference::Weights;
using schedules::gradual;

constexpr Context on_device = {.device = first_device};

/// A cell on the CPU and an equal one on a device, trained alike.
struct Twins {
  explicit Twins(const Parameters& parameters) : cell(parameters), device_cell(parameters) {
    cell.add_tensor({5000});
    device_cell.add_tensor({5000});
  }

  CellTensor host() {
    return {weights.view(), gradient.view(), cell.parameters().in_place ? TensorView{} : pruned.view()};
  }
  CellTensor device() {
    return {device_weights.view(), device_gradient.view(),
            cell.parameters().in_place ? TensorView{} : device_pruned.view()};
  }
  template <class Call>
  void both(Call&& call) {
    const CellTensor there = device(), here = host();
    call(device_cell, on_device, std::span(&there, 1));
    call(cell, Context{}, std::span(&here, 1));
  }
  void check_alike() {
    device_cell.wait();
    CHECK(cell.figures(0).zeros == device_cell.figures(0).zeros);
    CHECK(cell.figures(0).level == device_cell.figures(0).level);
    CHECK(cell.figures(0).asked == device_cell.figures(0).asked);
    CHECK(weights.bytes() == device_weights.read().bytes());
    CHECK(gradient.bytes() == device_gradient.read().bytes());
    CHECK(pruned.bytes() == device_pruned.read().bytes());
    if (!cell.mask(0)) return;
    CHECK(device_cell.mask(0)->device() == first_device);
    CHECK(cell.mask(0)->saved() == device_cell.mask(0)->saved());
  }
  void train(std::uint32_t seed) {
    weights = reference::ties(DType::float32, 5000, seed);
    device_weights.overwrite(weights);
  }

  Weights weights = reference::ties(DType::float32, 5000, 1), gradient = reference::any_bits(DType::float64, 5000),
          pruned = Weights(DType::float32, 5000);
  DeviceWeights device_weights{weights}, device_gradient{gradient}, device_pruned{pruned};
  PruneCell cell, device_cell;
};

TEST_CASE("a cell on a device does what its like does on the CPU") {
  for (const bool in_place : {true, false})
    for (const Filler filler : {Filler::iter_nonstruct, Filler::random, Filler::none}) {
      Twins twins(gradual(in_place, filler));
      twins.both([](PruneCell& cell, const Context& context, auto tensors) { cell.initialize(context, tensors); });
      twins.check_alike();
      for (std::uint32_t step = 2; step < 6; ++step) {
        twins.both([](PruneCell& cell, const Context& context, auto tensors) {
          cell.propagate(context, tensors);
          cell.back_propagate(context, tensors);
        });
        twins.train(step);
        twins.both([](PruneCell& cell, const Context& context, auto tensors) { cell.update(context, tensors, 40); });
        twins.check_alike();
      }
    }
}

TEST_CASE("a tensor that would lose all weights is left alone and tried again on a device too") {
  for (const bool in_place : {true, false})
    for (const Mode mode : {Mode::fixed, Mode::gradual}) {
      Parameters parameters = gradual(in_place);
      parameters.mode = mode;
      parameters.ties = Ties::keep;
      Twins twins(parameters);
      const auto update = [&](const Weights& weights) {
        twins.weights = weights;
        twins.device_weights.overwrite(weights);
        twins.both([](PruneCell& cell, const Context& context, auto tensors) { cell.update(context, tensors, 40); });
        twins.check_alike();
        CHECK(twins.cell.figures(0).tied == twins.device_cell.figures(0).tied);
        return twins.cell.figures(0).tied;
      };
      const Weights zeros(DType::float32, 5000);
      twins.weights = zeros;
      twins.device_weights.overwrite(zeros);
      twins.both([](PruneCell& cell, const Context& context, auto tensors) { cell.initialize(context, tensors); });
      twins.check_alike();
      CHECK(update(zeros));
      CHECK(update(zeros));
      CHECK(update(reference::ties(DType::float32, 5000, 3)) == (mode == Mode::gradual));
      for (std::uint32_t step = 4; step < 9; ++step) update(reference::ties(DType::float32, 5000, step));
      CHECK_FALSE(update(reference::ties(DType::float32, 5000, 9)));
    }
}

TEST_CASE("Static waits with Ties::keep alone, until it is known that no mask is to be tried again") {
  const auto waits = [] { return simt::calls("cudaStreamSynchronize") + simt::calls("cudaDeviceSynchronize"); };
  for (const Ties ties : {Ties::prune, Ties::keep}) {
    Twins twins({.mode = Mode::fixed, .filler = Filler::iter_nonstruct, .delta = 0.01, .ties = ties});
    const CellTensor there = twins.device();
    twins.device_cell.initialize(on_device, {&there, 1});
    const std::size_t before = waits();
    for (int step = 0; step < 3; ++step) twins.device_cell.update(on_device, {&there, 1}, 1);
    CHECK(waits() == before + (ties == Ties::keep));
  }
}

TEST_CASE("identity copies out of place on a device too") {
  Twins twins({.mode = Mode::identity, .in_place = false});
  twins.both([](PruneCell& cell, const Context& context, auto tensors) { cell.initialize(context, tensors); });
  twins.check_alike();
  CHECK(twins.device_pruned.read().bytes() == twins.weights.bytes());
}

TEST_CASE("a rise waits for nothing but the rise before it") {
  Twins twins(gradual());
  const auto waits = [] { return simt::calls("cudaStreamSynchronize") + simt::calls("cudaDeviceSynchronize"); };
  const CellTensor there = twins.device();
  twins.device_cell.initialize(on_device, {&there, 1});
  twins.device_cell.wait();
  const std::size_t before = waits();
  twins.device_cell.propagate(on_device, {&there, 1});
  twins.device_cell.back_propagate(on_device, {&there, 1});
  twins.device_cell.update(on_device, {&there, 1}, 64);
  twins.device_cell.propagate(on_device, {&there, 1});
  CHECK(waits() == before);
  CHECK(twins.device_cell.schedule().rises() == 1);
  twins.device_cell.wait();
  CHECK(waits() == before + 1);
}

TEST_CASE("a rise out of reach is taken back by who asks for it first") {
  Twins twins(gradual());
  CellTensor there = twins.device();
  twins.device_cell.initialize(on_device, {&there, 1});
  CHECK_THROWS_WITH_AS(twins.device_cell.figures(0), "figures: the results of a rebuild are pending, call wait first",
                       WrongState);
  CHECK_THROWS_AS(twins.device_cell.save(), WrongState);
  twins.device_cell.wait();
  const std::vector<std::byte> mask = twins.device_cell.mask(0)->saved();
  const Figures figures = twins.device_cell.figures(0);
  Weights nan(DType::float32, 5000);
  for (std::int64_t i = 0; i < 5000; ++i) nan.set_bits(i, 0x7fc00000 + std::uint64_t(i));
  twins.device_weights.overwrite(nan);
  twins.device_cell.update(on_device, {&there, 1}, 100);
  CHECK_THROWS_AS(twins.device_cell.wait(), UnreachableThreshold);
  CHECK(twins.device_cell.schedule().rises() == 0);
  CHECK(twins.device_cell.schedule().counter() == 0);
  CHECK(twins.device_cell.schedule().current() == 0.2f);
  CHECK(twins.device_cell.figures(0).zeros == figures.zeros);
  CHECK(twins.device_cell.figures(0).asked == figures.asked);
  CHECK(twins.device_cell.mask(0)->saved() == mask);
  CHECK(twins.device_weights.read().bytes() == nan.bytes());
  twins.train(7);
  twins.device_cell.update(on_device, {&there, 1}, 64);
  twins.device_cell.wait();
  CHECK(twins.device_cell.figures(0).zeros >= 2000);
}

TEST_CASE("the next rise raises the error of the one before, and nothing of its own happens") {
  Twins twins(gradual());
  const CellTensor there = twins.device();
  twins.device_cell.initialize(on_device, {&there, 1});
  Weights nan(DType::float32, 5000);
  for (std::int64_t i = 0; i < 5000; ++i) nan.set_bits(i, 0x7fc00000);
  twins.device_weights.overwrite(nan);
  twins.device_cell.update(on_device, {&there, 1}, 64);
  CHECK_THROWS_AS(twins.device_cell.update(on_device, {&there, 1}, 64), UnreachableThreshold);
  CHECK(twins.device_cell.schedule().rises() == 0);
}

TEST_CASE("a first mask out of reach leaves the cell without one") {
  Twins twins(gradual());
  Weights nan(DType::float32, 5000);
  for (std::int64_t i = 0; i < 5000; ++i) nan.set_bits(i, 0x7fc00000);
  twins.device_weights.overwrite(nan);
  const CellTensor there = twins.device();
  twins.device_cell.initialize(on_device, {&there, 1});
  CHECK_THROWS_AS(twins.device_cell.wait(), UnreachableThreshold);
  CHECK_FALSE(twins.device_cell.initialized());
  CHECK(twins.device_cell.mask(0) == nullptr);
  twins.train(3);
  twins.device_cell.initialize(on_device, {&there, 1});
  twins.device_cell.wait();
  CHECK(twins.device_cell.figures(0).zeros >= 1000);
}

TEST_CASE("masks follow their weights to another device and back") {
  Twins twins(gradual());
  const CellTensor here = twins.host(), there = twins.device();
  twins.cell.initialize({}, {&here, 1});
  const std::vector<std::byte> bits = twins.cell.mask(0)->saved();
  const Mask* mask = twins.cell.mask(0);
  twins.cell.propagate(on_device, {&there, 1});
  CHECK(mask->device() == first_device);
  CHECK(mask->saved() == bits);
  CHECK(twins.device_weights.read().bytes() == twins.weights.bytes());
  twins.cell.propagate({}, {&here, 1});
  CHECK(mask->device() == Device{});
  CHECK(mask->saved() == bits);
  CHECK_THROWS_AS(twins.cell.propagate({}, {&there, 1}), InvalidArgument);
}

TEST_CASE("state of a device is state of the CPU") {
  Twins twins(gradual());
  const CellTensor there = twins.device(), here = twins.host();
  twins.device_cell.initialize(on_device, {&there, 1});
  PruneCell copy = twins.device_cell;
  twins.device_cell.wait();
  twins.cell.load(twins.device_cell.save());
  twins.cell.propagate({}, {&here, 1});
  CHECK(twins.weights.bytes() == twins.device_weights.read().bytes());
  CHECK(copy.mask(0)->saved() == twins.cell.mask(0)->saved());
  CHECK(copy.mask(0)->device() == first_device);
  twins.device_cell.set_mask(0, reference::random_mask(5000));  // of the host
  CHECK(twins.device_cell.mask(0)->zeros() == reference::random_mask(5000).zeros());
  twins.device_cell.load(twins.cell.save());
  CHECK(twins.device_cell.mask(0)->saved() == twins.cell.mask(0)->saved());
}

TEST_CASE("a mask on a device reads as it reads on the host") {
  for (const std::int64_t size : reference::sizes) {
    const Mask host = reference::random_mask(size), there = host.to(first_device);
    CHECK(there.device() == first_device);
    CHECK(there.zeros() == host.zeros());
    CHECK(there.saved() == host.saved());
    CHECK(reference::bits_of(there) == reference::bits_of(host));
    const Mask copy = there;
    CHECK(copy.device() == first_device);
    CHECK(copy.view().words != there.view().words);
    CHECK(reference::bits_of(copy.to({})) == reference::bits_of(host));
    CHECK(Mask({size}, first_device).zeros() == 0);
  }
}

}  // namespace
