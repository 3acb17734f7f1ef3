"""People, places, accounts, access and audit in the hub's database."""
