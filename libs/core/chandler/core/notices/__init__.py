"""What people are told: events of topics in, messages for chats out. Knows nothing of Telegram."""
