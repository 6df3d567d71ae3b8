"""The rolling statistics of the flights, as features of them are counted."""
