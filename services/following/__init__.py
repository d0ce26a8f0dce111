"""What is known of the topics without asking anybody, and where the rest is looked up.

For services that answer people: the notifier, the gateway.
"""
