"""What a person can ask for, whichever door asks: the command line and the web call it."""
