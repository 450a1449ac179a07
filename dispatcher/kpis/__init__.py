"""KPIs and alerts: figures, their targets, shares and the rules of alerts, without I/O."""
