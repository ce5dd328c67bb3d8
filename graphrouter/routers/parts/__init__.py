"""Parts that several routers share."""
