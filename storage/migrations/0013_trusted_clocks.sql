-- Whether a processor knows well enough what time it is. One that does not starts nothing.

ALTER TABLE processors ADD COLUMN trusts_clock boolean NOT NULL DEFAULT true;
