"""The operator's page of any application: what happens, what waits and why, redrive and drop by button."""
