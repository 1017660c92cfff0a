"""What sends: plan, dispatch, compose, transport, and the jobs that drive them."""
