// How the CUDA plugin's file says what it is.
#pragma once

namespace prunecell::cuda {

/// Stands, with its final 0, in the plugin's file: the core looks for it there before any code of the file runs. The
/// format counts changes of Plugin between releases. Static: of an inline one the process has a single copy, maybe that
/// of another version.
static constexpr char plugin_mark[] = "prunecell CUDA plugin, format 3, version " PRUNECELL_VERSION;

}  // namespace prunecell::cuda
