"""Models: where a base lies, loading it and its tokeniser, exporting a tuned one."""
