"""The feature worker of the flights: events in, online features out."""
