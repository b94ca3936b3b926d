"""Other people's clients, which judge whether the simulated venues are true.

What an SDK or its venue's documentation says goes; where they differ, the test names the page.
"""
