"""Backups of one host's databases and objects, and the way back. Runs on the hosts that have the data; see the role's README."""
