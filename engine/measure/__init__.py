"""Metrics of a tape, its summary and its verdict. This package reads tapes and writes none."""
