"""`dispatcher talk`: one turn of a simulated device with a running front, shown as it happens."""
