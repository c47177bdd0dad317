"""The command line of the embedded engine: ``yiwang pulumi ARGS…``, with the Pulumi CLI's own words, flags and answers.

What is printed here is read by programs (Pulumi's Automation API, scripts) that know the CLI's words, so those are English whatever the
locale; only what the CLI has not (refusals of what this engine cannot do) speaks the user's language.
"""
