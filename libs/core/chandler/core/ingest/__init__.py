"""What ingest decides: when a candle is final, in which order candles go out, whom to trust."""
