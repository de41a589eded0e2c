"""The recording proxy: real traffic as a tape."""
