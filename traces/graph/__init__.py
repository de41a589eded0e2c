"""Which request waits for which: sessions and fan-in."""
