"""Plugins that ansible-playbook loads; nothing here is imported by the kit itself."""
