"""`prunecell train`: data, options, the loop, and the folder of a run."""
