"""vitalgate: the line between a health device and the doctor responsible."""
