"""Exit codes that the program has beside those of its commands."""

INTERRUPTED = 130  # what a shell reports of a program that ctrl-C ended
