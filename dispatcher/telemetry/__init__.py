"""Reports of processes in Redis: records, recent turns, metric samples, KPIs, presence and canaries."""
