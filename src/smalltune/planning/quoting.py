"""Quoting: any text as YAML reads it back."""

__all__ = ["plain", "quoted"]


def plain(text: str) -> str:
    """Return text as YAML reads it back: bare where it can be, else quoted."""
    import yaml

    return text if yaml.safe_load(text) == text else quoted(text)


def quoted(text: str) -> str:
    """Return text as YAML's double quotes hold it; what cannot be printed as its code."""
    inside = "".join(
        f"\\{c}" if c in '\\"' else c if c.isprintable() else _escaped(c) for c in text
    )
    return f'"{inside}"'


def _escaped(char: str) -> str:
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return short.get(char, f"\\U{ord(char):08x}")
