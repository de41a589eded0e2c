"""The simulated server, within this process or as one of its own, and its tape of the truth."""
