"""The Faust shells: take, call, write, acknowledge."""
