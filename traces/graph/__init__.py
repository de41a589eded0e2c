"""The graph of a trace's requests: sessions and fan-in."""
