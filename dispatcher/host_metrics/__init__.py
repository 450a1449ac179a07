"""What is measured of this machine: the box or its container, and the processes of ours on it."""
