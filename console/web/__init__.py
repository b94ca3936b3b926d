"""What a browser and Prometheus see: the status page, health and metrics, on this machine only.

Lives here: the server, the figures' names, the page. Everything is read-only. Does not live here:
commands (`console.control`), and what the figures count (`actors`, `storage`).
"""
