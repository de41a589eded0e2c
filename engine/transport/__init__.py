"""How servers are reached: addresses, proxies, TLS, headers, and what is asked of them before a run."""
