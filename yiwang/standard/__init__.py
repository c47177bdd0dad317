"""National codes, tables and data sets; imports nothing of the rest of the package."""
