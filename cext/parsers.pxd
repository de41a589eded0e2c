"""The dialect, as the reactor's face takes it."""

from .core cimport event_dialect


cdef class Dialect:
    cdef event_dialect *ptr      # owned; lives as long as the object
    cdef readonly dict paths
    cdef readonly dict types
