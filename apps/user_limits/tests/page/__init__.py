"""The page, in a real browser: the application under uvicorn, the handler beside it."""
