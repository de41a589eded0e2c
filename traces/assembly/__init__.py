"""Build a trace from the columns of a reader."""
