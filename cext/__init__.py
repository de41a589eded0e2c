"""The timing core: C with a thin Cython face."""
