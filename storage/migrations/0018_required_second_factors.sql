-- Roles whose users sign in with a second factor, or are led to set one up.

CREATE TABLE required_second_factors (
    role text PRIMARY KEY
);
