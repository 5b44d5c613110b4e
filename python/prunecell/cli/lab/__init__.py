"""`prunecell train` and `report`: data, options, the loop, the folder of a run, its report."""
