"""The scorer: requests in, predictions, dead letters and ledger entries out."""
