"""The simulated server, in this process or as a separate process, and the tape of its true times."""
