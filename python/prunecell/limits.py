"""Bounds on how much any input may make the package allocate, visit or print.

Files, configurations and runs come from strangers. Every bound is far above what real inputs need
and low enough that the worst input is refused within a few seconds and a few hundred MB.
"""

from __future__ import annotations

# Text of an INI file. The largest of the reference has 20 kB, 150 sections and 3000 characters in
# its longest value.
MAX_FILE_BYTES = 4 << 20
MAX_NAME_CHARS = 1000  # section or property
MAX_PATH_CHARS = 1000  # template
MAX_PROPERTIES = 100_000  # properties and sections; an inherited property counts in each heir
MAX_VALUE_CHARS = 256 << 10  # a value after substitutions
MAX_READ_CHARS = 1 << 20  # text built while one value is resolved
MAX_LOAD_CHARS = 16 << 20  # text built while all values of one call are resolved
MAX_REFERENCE_DEPTH = 32  # values that refer to values
MAX_REPETITIONS = 100  # repeated properties with a warning each

MAX_EXPRESSION_CHARS = 4096
MAX_EXPRESSION_DEPTH = 24  # parentheses, right-hand operators and conditions
MAX_INTEGER_BITS = 1024  # any intermediate result

MAX_TEMPLATE_CHARS = 4 << 20  # text rendered from all templates of one file
MAX_TEMPLATE_STEPS = 200_000  # nodes rendered, parameters copied for a block
MAX_TEMPLATE_DEPTH = 20  # nested controls, and templates that use templates

# Networks of an INI file.
MAX_SIZE = 1 << 20  # one extent or count; the largest layers known have 10^5
MAX_WEIGHTS = 1 << 29  # one network; 2 GiB of float32, four times the weights of VGG-16
MAX_SAMPLE = 1 << 28  # values that one cell gives for one sample
MAX_CONNECTIONS = 1 << 24  # one mapping; the largest real mapping has 10^6
MAX_MAPPING_STEPS = 1 << 26  # connections drawn by the patterns of one mapping

# Files of tensors.
MAX_HEADER = 16 << 20
"""Bytes; some 100 000 tensors. Python's JSON may take 25 times the memory for a hostile header."""
MAX_DIMENSIONS = 32  # the limit of numpy before version 2
MAX_BYTES = 2**63 - 1  # one tensor
MAX_MEMBERS = 100_000  # one archive
MAX_NPY_HEADER = 64 << 10  # bytes; numpy itself parses 10 000
MOST_INFLATED = 1040  # bytes from one; deflate makes 1032 at most, and more is refused unread
MAX_PICKLE = 16 << 20  # bytes; all pickles of a torch file
MAX_PICKLE_STEPS = 4 << 20  # instructions; a tensor takes 32, a step up to 100 bytes
MAX_PICKLE_VISITS = 4 << 20  # values in keys and arguments; a tensor has 25
MAX_NESTING = 64  # dictionaries and lists in a torch file
MAX_VISITS = 300_000  # values in dictionaries and lists, counted at each reference
MAX_JOINED_CHARS = 64 << 20  # the names of all tensors of a torch file together
MAX_REPEATED = 16  # bytes of tensors for each byte of a torch file, ...
FREE_BYTES = 64 << 20  # ... beside these, which any file may have

# Folders of runs.
MAX_DESCRIPTION_BYTES = 1 << 20
MAX_LOG_BYTES = 64 << 20
MAX_EPOCHS = 1_000_000

# Messages.
MAX_SHOWN_CHARS = 200  # a piece of a file
MAX_MESSAGE_CHARS = 2000
