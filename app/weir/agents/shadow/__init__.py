"""The shadow: what another bundle says of requests that were answered."""
