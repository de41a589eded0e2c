"""Connecting to servers: addresses, proxies, TLS, headers, and the checks before a run."""
