"""Data: tables and texts in, splits that do not leak out. Nothing here knows a model."""
