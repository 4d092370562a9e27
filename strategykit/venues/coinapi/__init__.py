"""CoinAPI's language: market data as JSON over WebSocket, variants V1 and DS, both halves."""
