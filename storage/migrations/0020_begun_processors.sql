-- When a processor had all that it takes to send: what kept earlier ones from starting is over then.

ALTER TABLE processors ADD COLUMN begun_at timestamptz;
