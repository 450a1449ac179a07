"""KPIs and alerts without I/O: the table of KPIs, the shares of calls, and the phases of an alert."""
