"""The live half of the desk: what a venue says of intents, fills, stops and the account."""
