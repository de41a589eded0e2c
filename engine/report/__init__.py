"""Output for people and programs: tables, exports, plots and the HTML report."""
