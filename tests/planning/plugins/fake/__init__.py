"""Plug-ins for the tests of planning: what matters is what they declare."""
