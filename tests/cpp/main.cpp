// prunecell_tests [--cuda[=plugin]]: runs the operations of the suite on CUDA device 0.
#define DOCTEST_CONFIG_IMPLEMENT
#include "axis.hpp"

#include <prunecell/cuda.hpp>

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <string>

int main(int argc, char** argv) {
  const std::string option = "--cuda";
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (!argument.starts_with(option)) continue;
    if (argument.size() > option.size())
      prunecell::cuda::load_plugin(std::filesystem::absolute(argument.substr(option.size() + 1)).string());
    if (!prunecell::cuda::is_available()) {
      std::fprintf(stderr, "%s\n", prunecell::cuda::unavailable_reason().c_str());
      return 1;
    }
    axis::use({prunecell::Device::Kind::cuda, 0});
  }
  return doctest::Context(argc, argv).run();
}
