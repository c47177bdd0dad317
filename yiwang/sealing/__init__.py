"""Objects with personal data in buckets that nobody can change: sealed with a key each, erased by destroying it, with proof.

Nothing of the kit is needed: cryptography, psycopg, boto3 and ``yiwang.standard``. See README.md beside this file.
"""
