"""The timing core: C with thin Cython interfaces."""
