"""One verb over many sites: which sites and hosts, in which order, by which engine, and what it will change."""
