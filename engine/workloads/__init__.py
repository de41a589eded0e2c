"""Workloads: a trace to replay, or a load to profile with, from options to a sealed tape."""
