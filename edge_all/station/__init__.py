"""The station: images arrive, are screened as they come, and a person decides."""
