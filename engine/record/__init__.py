"""The recording proxy, which writes real traffic to a tape."""
