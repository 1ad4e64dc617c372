"""The API: each route and each problem, by hand, over real HTTP, and on Lambda."""
