"""What happens, from a record to the bytes for each listener. Knows nothing of Kafka or sockets."""
