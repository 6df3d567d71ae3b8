"""What every role shares: the host process, the batcher, the serial executor, lag."""
