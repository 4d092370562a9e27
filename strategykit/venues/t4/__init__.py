"""T4's language: protobuf over WebSocket, both halves."""
