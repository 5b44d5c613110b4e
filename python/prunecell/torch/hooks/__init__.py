"""What a pruned weight puts on the modules that hold it."""
