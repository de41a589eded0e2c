"""What is sent: request bodies and heads, and the APIs that give them their form."""
