"""HTTP side of a front: application, OTA, authentication, probes and pages."""
