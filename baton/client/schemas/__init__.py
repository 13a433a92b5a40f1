"""The shapes of `/baton/v1`, requests and answers: the API publishes and checks them, the client reads by them."""
