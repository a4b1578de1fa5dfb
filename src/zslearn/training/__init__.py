"""Plans as data, and the one loop that executes them."""
