"""State of the control loop: schedule locks, runtime overrides, and the store of the tuner."""
