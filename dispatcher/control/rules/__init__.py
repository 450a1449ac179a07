"""Rules of the control loop without I/O: KPIs, alerts and the tuner; the clock is passed in."""
