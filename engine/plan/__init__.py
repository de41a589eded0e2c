"""What will be sent and when. Pure: no clock is read here."""
