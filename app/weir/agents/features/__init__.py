"""The feature worker and the canary: events in, online features out, and the proof that they are Feast's."""
