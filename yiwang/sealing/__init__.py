"""Objects with personal data in buckets that nobody can change: sealed with a key each, erased by destroying it, with proof.

Of the kit it needs the catalogue of texts and ``yiwang.standard`` alone. See README.md beside this file.
"""
