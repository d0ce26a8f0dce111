"""Where messages go, and where people write: Telegram, a webhook, plug-ins."""
