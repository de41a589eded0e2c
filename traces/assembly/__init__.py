"""From the columns of a reader to a trace."""
