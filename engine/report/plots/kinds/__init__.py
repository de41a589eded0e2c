"""One file per plot, named like the file that it writes."""
