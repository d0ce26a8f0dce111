"""What requests and answers look like: the models behind /v1/openapi.json."""
