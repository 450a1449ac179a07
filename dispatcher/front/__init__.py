"""The front: devices on WebSockets, OTA, probes and pages. It sends tasks by name and knows no worker."""
