"""Sections of the results, one file each."""
