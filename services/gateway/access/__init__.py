"""Who may call: sessions with a password, API keys, signatures; and how often."""
