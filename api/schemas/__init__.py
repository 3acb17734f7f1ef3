"""What requests and answers hold, as pydantic models: the source of the OpenAPI."""
