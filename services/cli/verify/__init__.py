"""`verify`: every decision again, from what it was made of."""
