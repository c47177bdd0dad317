"""The verbs, one module each: options, a call of the part that does the work, and what is printed."""
