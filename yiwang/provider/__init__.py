"""The Pulumi provider ``yiwang``: roles on hosts, secrets and certificates.

``resources`` is what programs import; ``__main__`` is the process that the engine starts.
"""
