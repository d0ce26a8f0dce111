"""notifier: tells people what happens, takes their commands; alone has the bot's token."""
