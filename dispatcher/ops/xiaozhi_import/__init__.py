"""From the files of the Python server for xiaozhi devices to ours, without losing a word about what stays."""
