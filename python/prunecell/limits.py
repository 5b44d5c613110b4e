"""How much any input may make us allocate, visit or print.

Files, configurations and runs come from somebody else. Every bound is far above what real ones need
and low enough that the worst input is refused within a few seconds and a few hundred MB.
"""

from __future__ import annotations

# Text of an INI file. The largest of the reference has 20 kB, 150 sections and 3000 characters in
# its longest value.
MAX_FILE_BYTES = 4 << 20
MAX_NAME_CHARS = 1000  # of a section or a property
MAX_PATH_CHARS = 1000  # of a template
MAX_PROPERTIES = 100_000  # and sections, inherited properties counted wherever they arrive
MAX_VALUE_CHARS = 256 << 10  # of a value in which something was substituted
MAX_READ_CHARS = 1 << 20  # built while one value is resolved
MAX_LOAD_CHARS = 16 << 20  # built while all values of one call are resolved
MAX_REFERENCE_DEPTH = 32  # of values that refer to values
MAX_REPETITIONS = 100  # of properties given twice that are warned of one by one

MAX_EXPRESSION_CHARS = 4096
MAX_EXPRESSION_DEPTH = 24  # of parentheses, right-hand operators and conditions
MAX_INTEGER_BITS = 1024  # of any intermediate result

MAX_TEMPLATE_CHARS = 4 << 20  # rendered from all templates of one file
MAX_TEMPLATE_STEPS = 200_000  # nodes rendered, parameters copied for a block
MAX_TEMPLATE_DEPTH = 20  # of nested controls, and of templates that use templates

# Networks of an INI file.
MAX_SIZE = 1 << 20  # of one side of anything; the largest layers known have 10^5
MAX_WEIGHTS = 1 << 29  # of one network, 2 GiB of float32: four times those of VGG-16
MAX_SAMPLE = 1 << 28  # values that one cell gives for one sample
MAX_CONNECTIONS = 1 << 24  # of one mapping; the largest real one has 10^6
MAX_MAPPING_STEPS = 1 << 26

# Files of tensors.
MAX_HEADER = 16 << 20
"""Bytes; some 100 000 tensors. Python's JSON may take 25 times the memory for a hostile one."""
MAX_DIMENSIONS = 32  # of numpy before version 2
MAX_BYTES = 2**63 - 1  # of one tensor
MAX_MEMBERS = 100_000  # of an archive
MAX_NPY_HEADER = 64 << 10  # numpy itself parses 10 000 bytes
MOST_INFLATED = 1040  # deflate makes at most 1032 bytes of one: promises of more are refused unread
MAX_PICKLE = 16 << 20  # bytes of the pickles of a torch file
MAX_PICKLE_STEPS = 4 << 20  # of its instructions; a tensor takes 32, a step up to 100 bytes
MAX_PICKLE_VISITS = 4 << 20  # values in keys and arguments; a tensor has 25
MAX_NESTING = 64  # of dictionaries and lists in a torch file
MAX_VISITS = 300_000  # values in them, each counted wherever it is referred to
MAX_JOINED_CHARS = 64 << 20  # of the names of all of them together
MAX_REPEATED = 16  # bytes that the tensors of a torch file have for each of the file's ...
FREE_BYTES = 64 << 20  # ... and what any file may have beside that

# Folders of runs.
MAX_DESCRIPTION_BYTES = 1 << 20
MAX_LOG_BYTES = 64 << 20
MAX_EPOCHS = 1_000_000

# Messages.
MAX_SHOWN_CHARS = 200  # of a piece of a file
MAX_MESSAGE_CHARS = 2000
