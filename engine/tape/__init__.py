"""The tape on disk: schema, journal, seal, read, recover."""
