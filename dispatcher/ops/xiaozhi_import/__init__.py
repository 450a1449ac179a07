"""Import of the configuration of the Python server for xiaozhi devices: `dispatcher import-xiaozhi`."""
