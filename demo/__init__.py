"""The demonstration: a middleware, and what it takes to see a call routed without a CRM."""
