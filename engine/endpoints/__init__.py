"""One file per API: its path, its body, what is a token, what ends a stream."""
