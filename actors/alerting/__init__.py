"""How an alert becomes a notification, and what the daily summary says.

Does not live here: the alerts' words (`rules`), their storage, or the channels (`console.service`).
"""
