"""The benchmark: each figure is a ratio to a floor measured in the same run. `make bench` runs it."""
