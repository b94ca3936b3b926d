"""The configuration file: reading it, checking it whole, comparing two of it, its reference page.

Does not live here: the settings' types (`messages.settings`), and putting them in force
(`console.service.reload`).
"""
