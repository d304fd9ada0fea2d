"""What is known: results read from the store, estimates with intervals, contrasts, tables."""
