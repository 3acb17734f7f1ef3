"""What stations and hub say to each other over MQTT: topics and sealed batches."""
