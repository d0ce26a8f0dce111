"""`chaos --telegram`: the notifier is killed while Telegram fails; what people got is counted."""
